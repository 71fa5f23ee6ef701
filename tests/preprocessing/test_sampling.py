import numpy as np
import pytest

from panecho_preprocessing import ClipOptions
from panecho_preprocessing.sampling import clip_frames, clip_starts, key_frame


@pytest.mark.parametrize(
    ("frames", "clips", "length", "stride", "starts"),
    [
        (65, 4, 16, 1, [0, 16, 33, 49]),
        (64, 4, 16, 1, [0, 16, 32, 48]),
        (30, 1, 16, 1, [7]),
        (31, 1, 16, 1, [7]),
        (16, 4, 16, 1, [0, 0, 0, 0]),
        (17, 4, 16, 1, [0, 0, 1, 1]),
        (2, 3, 16, 1, [0, 0, 0]),
        (24, 4, 16, 1, [0, 3, 5, 8]),
        (93, 3, 16, 2, [0, 31, 62]),
        (5, 5, 1, 1, [0, 1, 2, 3, 4]),
    ],
)
def test_starts_are_evenly_spaced_ends_included(
    frames: int, clips: int, length: int, stride: int, starts: list[int]
) -> None:
    options = ClipOptions(num_clips=clips, clip_length=length, frame_stride=stride)
    assert clip_starts(frames, options).tolist() == starts


@pytest.mark.parametrize(
    ("frames", "clips", "stride", "starts"),
    [
        (30, 4, 1, [0, 3, 9, 12]),
        (30, 2, 1, [0, 12]),
        (25, 4, 1, [0, 3, 6, 9]),
        (63, 4, 1, [0, 15, 30, 45]),
        (65, 3, 2, [0, 12, 30]),
        (92, 3, 2, [0, 30, 60]),
    ],
)
def test_starts_of_clips_that_overlap_share_images(frames: int, clips: int, stride: int, starts: list[int]) -> None:
    options = ClipOptions(num_clips=clips, frame_stride=stride)
    assert clip_starts(frames, options).tolist() == starts


@pytest.mark.parametrize("seed", range(200))
def test_starts_fit_and_are_nearly_even(seed: int) -> None:
    frames, clips, length, stride = np.random.default_rng(seed).integers(1, (400, 33, 65, 17)).tolist()
    starts = clip_starts(frames, ClipOptions(num_clips=clips, clip_length=length, frame_stride=stride))
    last = max(0, frames - (length - 1) * stride - 1)
    assert starts.min() >= 0
    assert starts.max() <= last
    even = np.linspace(0, last, clips) if clips > 1 else np.array([last // 2])
    assert np.abs(starts - even).max() < 4.5 * stride
    if clips > 1 and last >= 3 * stride * (clips - 1):
        assert len(set(starts.tolist())) == clips


def test_a_clip_is_consecutive_frames() -> None:
    assert clip_frames(30, ClipOptions(num_clips=2)).tolist() == [[*range(16)], [*range(12, 28)]]


def test_stride_leaves_frames_out() -> None:
    options = ClipOptions(num_clips=2, clip_length=4, frame_stride=3)
    assert clip_frames(12, options).tolist() == [[0, 3, 6, 9], [2, 5, 8, 11]]


@pytest.mark.parametrize(
    ("most", "starts"), [(None, [0, 13, 27, 40]), (40, [0, 11, 21, 32]), (100, [0, 13, 27, 40]), (3, [0] * 4)]
)
def test_only_the_first_frames_count(most: int | None, starts: list[int]) -> None:
    frames = clip_frames(48, ClipOptions(num_clips=4, clip_length=8, max_frames=most))
    assert frames[:, 0].tolist() == starts
    assert frames.max() == min(48, most or 48) - 1
    assert key_frame(48, ClipOptions(max_frames=most)) == (min(48, most or 48) - 1) // 2


def test_the_first_frames_are_counted_before_resampling() -> None:
    seconds = np.arange(200) / 50
    frames = clip_frames(200, ClipOptions(num_clips=1, clip_length=50, frame_rate=25, max_frames=100), seconds)
    assert frames.tolist() == [list(range(0, 100, 2))]


def test_a_short_video_repeats_its_last_frame() -> None:
    assert clip_frames(3, ClipOptions(num_clips=2, clip_length=6)).tolist() == [[0, 1, 2, 2, 2, 2]] * 2
    assert clip_frames(4, ClipOptions(num_clips=1, clip_length=3, frame_stride=2)).tolist() == [[0, 2, 3]]
