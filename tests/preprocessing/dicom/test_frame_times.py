from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag

from panecho_preprocessing import ClipOptions, NoUsableVideoError, VideoError, preprocess_study
from panecho_preprocessing.dicom.frame_times import frame_seconds
from panecho_preprocessing.sampling import clip_frames, resampled

EVEN = [0, 0.04, 0.08, 0.12]


def header(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("elements", "seconds"),
    [
        ({"FrameTime": "40"}, EVEN),
        ({"CineRate": "25"}, EVEN),
        ({"RecommendedDisplayFrameRate": "25"}, EVEN),
        ({"FrameTimeVector": [0, 40, 40, 40]}, EVEN),
        ({"FrameTimeVector": [0, 30, 50, 40, 99]}, [0, 0.03, 0.08, 0.12]),
        ({"FrameTimeVector": [0, 30, 50, 40], "FrameTime": "20"}, [0, 0.03, 0.08, 0.12]),
        ({"FrameTimeVector": [0, 30, 50, 40], "FrameTime": "40", "FrameIncrementPointer": Tag(0x00181063)}, EVEN),
        ({"FrameTime": "40", "CineRate": "99"}, EVEN),
        ({"FrameTime": "0", "CineRate": "25"}, EVEN),
        ({"FrameTimeVector": [0, 40], "FrameTime": "40"}, EVEN),
        ({"FrameTimeVector": [0, 40, -40, 40]}, None),
        ({"FrameTime": "1e300"}, None),
        ({"CineRate": "0"}, None),
        ({}, None),
    ],
)
def test_when_frames_were_taken(elements: dict[str, object], seconds: list[float] | None) -> None:
    found = frame_seconds(header(**elements), 4)
    assert (None if found is None else found.round(9).tolist()) == seconds


def test_a_rate_is_reached_with_the_nearest_frames() -> None:
    fifty = np.arange(9) / 50
    assert resampled(fifty, 25).tolist() == [0, 2, 4, 6, 8]
    assert resampled(fifty, 50).tolist() == [*range(9)]
    assert resampled(fifty, 100).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]
    assert resampled(np.array([0, 0.03, 0.08, 0.12]), 25).tolist() == [0, 1, 2, 3]


def test_clips_of_a_resampled_cine() -> None:
    options = ClipOptions(num_clips=2, clip_length=3, frame_rate=25)
    assert clip_frames(12, options, np.arange(12) / 50).tolist() == [[0, 2, 4], [6, 8, 10]]
    assert clip_frames(4, options, np.arange(4) / 50).tolist() == [[0, 2, 2]] * 2


def test_a_rate_needs_times() -> None:
    with pytest.raises(VideoError, match=r"^NO_FRAME_RATE: .*leave out frame_rate$"):
        clip_frames(12, ClipOptions(frame_rate=25), None)
    assert clip_frames(12, ClipOptions(num_clips=1, clip_length=2), None).tolist() == [[5, 6]]


@pytest.mark.parametrize(
    ("elements", "status"),
    [
        ({"CineRate": 25, "FrameTime": 100}, "ok"),
        ({"FrameTime": 40}, "ok"),
        ({"FrameTime": 40.001}, "ok"),  # 24.999 a second
        ({}, "ok"),
        (
            {"CineRate": 21, "FrameTime": 10},
            "ok: 21 frames per second; the published preparation leaves out those under 25",
        ),
        (
            {"CineRate": 0, "FrameTime": 66.7},
            "ok: 15 frames per second; the published preparation leaves out those under 25",
        ),
    ],
)
def test_a_low_rate_is_reported(
    elements: dict[str, float], status: str, grey: NDArray[np.uint8], dicom: Callable[..., bytes]
) -> None:
    data = dicom(grey[:4], **elements)
    request = np.frombuffer(data, np.uint8), np.array([len(data)])
    options = ClipOptions(num_clips=1, clip_length=2, framing="whole")
    assert preprocess_study(*request, options, max_clips=8).video_status == (status,)
    least = replace(options, min_frame_rate=25)
    if status == "ok":
        assert preprocess_study(*request, least, max_clips=8).video_status == ("ok",)
        return
    with pytest.raises(
        NoUsableVideoError, match=r"LOW_FRAME_RATE: the header states \d+ frames per second, under min_fr"
    ):
        preprocess_study(*request, least, max_clips=8)
