"""Frames of a real cine, from decoders that are not ours."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_color_lut


def probe(data: bytes) -> list[NDArray[np.uint8]]:
    """Decode 8 frames from first to last, with pydicom and OpenCV alone."""
    dataset = dcmread(io.BytesIO(data))
    count = int(dataset.NumberOfFrames)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        colour = apply_color_lut(dataset.pixel_array, dataset) >> 8
        frames = list(np.ascontiguousarray(colour[..., ::-1], dtype=np.uint8))
    else:
        jpegs = generate_frames(dataset.PixelData, number_of_frames=count)
        frames = [np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)) for jpeg in jpegs]
    return [frames[index] for index in np.unique(np.linspace(0, count - 1, 8).round().astype(int))]
