"""MPEG-2, H.264 and HEVC inside DICOM (PS3.5 8.2.5 to 8.2.9): one stream, whatever its fragments."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from panecho_preprocessing.options import FramingName
from support.reading import cine_of, frames_of

DATA = Path(__file__).parents[2] / "data"
WHOLE = ClipOptions(framing="whole", num_clips=2)
STREAMS = [
    ("sonosite_mpeg2.ts", "1.2.840.10008.1.2.4.100"),
    ("sonosite_mpeg2.ts", "1.2.840.10008.1.2.4.101.1"),
    ("sonosite_h264.mp4", "1.2.840.10008.1.2.4.102"),
    ("sonosite_h264.mp4", "1.2.840.10008.1.2.4.104"),
    ("sonosite_hevc.mp4", "1.2.840.10008.1.2.4.107"),
]


@pytest.fixture
def wrapped(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]) -> Callable[..., bytes]:
    """Put a stream into a DICOM file, cut into fragments."""

    def wrap(stream: bytes, syntax: str = "1.2.840.10008.1.2.4.102", fragments: int = 1) -> bytes:
        file = data_set(np.zeros((30, 240, 320, 3), np.uint8), UID(syntax), PhotometricInterpretation="YBR_PARTIAL_420")
        file.PixelData = encapsulate([stream], fragments_per_frame=fragments, has_bot=False)
        file["PixelData"].is_undefined_length = True
        return saved(file)

    return wrap


def plain_opencv(name: str) -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(DATA / name))
    return np.array([np.asarray(capture.read()[1]) for _ in range(30)], dtype=np.uint8)


@pytest.mark.parametrize(("name", "syntax"), STREAMS)
@pytest.mark.parametrize("fragments", [1, 3])
def test_frames_are_those_of_the_stream(
    name: str, syntax: str, fragments: int, wrapped: Callable[..., bytes], bgr: NDArray[np.uint8]
) -> None:
    frames = plain_opencv(name)
    assert np.abs(frames.astype(int) - bgr).mean() < 4  # lossy, but the same cine
    data = wrapped((DATA / name).read_bytes(), syntax, fragments)
    np.testing.assert_array_equal(frames_of(data), frames)
    np.testing.assert_array_equal(frames_of(data, [3, 17, 29]), frames[[3, 17, 29]])


@pytest.mark.parametrize(("name", "syntax"), STREAMS[::2])
def test_clips_are_those_of_the_video_file(name: str, syntax: str, wrapped: Callable[..., bytes]) -> None:
    stream = (DATA / name).read_bytes()
    np.testing.assert_array_equal(video_clips(wrapped(stream, syntax), WHOLE), video_clips(stream, WHOLE))


def test_the_sector_is_found_in_video_too(wrapped: Callable[..., bytes]) -> None:
    data = wrapped((DATA / "sonosite_h264.mp4").read_bytes())

    def burned_in(framing: FramingName) -> int:
        """Count the pixels that are bright and stand still, but for compression."""
        frames = video_clips(data, ClipOptions(framing=framing)).max(axis=-1).reshape(-1, 224, 224)
        return int(((frames.min(axis=0) > 60) & (np.ptp(frames, axis=0) <= 4)).sum())

    assert burned_in("whole") > 50
    assert burned_in("auto") < burned_in("whole") / 3  # bright tissue that the encoder froze


def test_what_is_no_video_is_not_handed_to_ffmpeg(wrapped: Callable[..., bytes]) -> None:
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: the DICOM file's video is neither MPEG nor MP4"):
        cine_of(wrapped(b"#EXTM3U\nhttp://127.0.0.1/a.ts\n" * 20))


def test_a_dicom_inside_is_not_opened_again(wrapped: Callable[..., bytes], sonosite: bytes) -> None:
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: "):
        cine_of(wrapped(sonosite))


def test_a_cut_off_stream_is_unreadable(wrapped: Callable[..., bytes]) -> None:
    with pytest.raises(VideoError, match=r"^UNREADABLE_VIDEO: "):
        video_clips(wrapped((DATA / "sonosite_h264.mp4").read_bytes()[:4000]), WHOLE)


def test_no_fragment_is_truncated(wrapped: Callable[..., bytes]) -> None:
    data = wrapped((DATA / "sonosite_h264.mp4").read_bytes())
    with pytest.raises(VideoError, match=r"^TRUNCATED: the file holds no complete fragment of its video$"):
        cine_of(data[:2000])
