"""Different cines made of one: a request that repeats a cine counts it once."""

import io

from pydicom import dcmread, dcmwrite
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID


def first_frames(cine: bytes, count: int) -> bytes:
    """Return the first frames of a JPEG cine as one of its own: fewer images for the model."""
    file = dcmread(io.BytesIO(cine))
    frames = list(generate_frames(file.PixelData, number_of_frames=int(file.NumberOfFrames)))[:count]
    file.NumberOfFrames, file.PixelData = len(frames), encapsulate(frames)
    buffer = io.BytesIO()
    dcmwrite(buffer, file)
    return buffer.getvalue()


def different_cines(cine: bytes, count: int) -> list[bytes]:
    """Return copies of a JPEG cine that start at another of its frames, or end earlier, under UIDs of their own."""
    file = dcmread(io.BytesIO(cine))
    frames = list(generate_frames(file.PixelData, number_of_frames=int(file.NumberOfFrames)))
    made = []
    for index in range(count):
        shorter, start = divmod(index, len(frames))
        kept = [*frames[start:], *frames[:start]][: len(frames) - shorter]
        file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{index}")
        file.NumberOfFrames, file.PixelData = len(kept), encapsulate(kept)
        buffer = io.BytesIO()
        dcmwrite(buffer, file)
        made.append(buffer.getvalue())
    return made
