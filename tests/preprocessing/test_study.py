from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_preprocessing import (
    ClipOptions,
    InvalidRequestError,
    Limits,
    NoUsableVideoError,
    RequestCancelledError,
    ShortOfMemoryError,
    StudyClips,
    preprocess_study,
    video_clips,
)
from panecho_preprocessing.host.memory import read_memory
from panecho_preprocessing.options import FramingName
from support.cines import different_cines

TWO = ClipOptions(num_clips=2)


def study(
    *files: bytes,
    options: ClipOptions = TWO,
    max_clips: int = 64,
    threads: int = 1,
    limits: Limits | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> StudyClips:
    sizes = np.array([len(file) for file in files], dtype=np.int64)
    content = np.frombuffer(b"".join(files), np.uint8)
    return preprocess_study(
        content, sizes, options, max_clips=max_clips, threads=threads, limits=limits, cancelled=cancelled
    )


@pytest.fixture
def cines(sonosite: bytes) -> list[bytes]:
    return different_cines(sonosite, 6)


@pytest.fixture
def still(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> bytes:
    return dicom(grey[:1])


@pytest.fixture
def uncompressed(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> bytes:
    return dicom(grey[:20])


def test_clips_of_every_file_in_order(sonosite: bytes, uncompressed: bytes, cines: list[bytes]) -> None:
    made = study(sonosite, uncompressed, cines[1])
    assert made.clips.shape == (6, 16, 224, 224, 3)
    assert made.clips.dtype == np.uint8
    assert made.clips.flags.c_contiguous
    assert made.clip_video.dtype == np.int32
    assert made.clip_video.tolist() == [0, 0, 1, 1, 2, 2]
    assert made.video_status == ("ok", "ok", "ok")
    np.testing.assert_array_equal(made.clips[2:4], video_clips(uncompressed, TWO))
    np.testing.assert_array_equal(made.clips[4:], video_clips(cines[1], TWO))


def test_bad_files_are_left_out_and_harm_no_other(sonosite: bytes, still: bytes, cines: list[bytes]) -> None:
    cut_off = sonosite[: sonosite.index(b"\xff\xd8\xff") + 100]
    made = study(b"", sonosite, still, b"hello", cut_off, cines[1])
    assert made.clip_video.tolist() == [1, 1, 5, 5]
    assert [status.split(":")[0] for status in made.video_status] == [
        "EMPTY_FILE",
        "ok",
        "NOT_A_CINE",
        "NOT_A_VIDEO",
        "TRUNCATED",
        "ok",
    ]
    np.testing.assert_array_equal(made.clips[2:], video_clips(cines[1], TWO))


def test_on_error_fail_names_the_file(sonosite: bytes, still: bytes) -> None:
    fail = ClipOptions(num_clips=2, on_error="fail")
    with pytest.raises(InvalidRequestError, match=r"^video_sizes\[1\]: NOT_A_CINE: a still of 1 frame"):
        study(sonosite, still, options=fail)
    assert study(sonosite, options=fail).video_status == ("ok",)


def test_no_usable_file_lists_them_all(still: bytes) -> None:
    with pytest.raises(NoUsableVideoError) as refused:
        study(still, b"", b"hello")
    assert str(refused.value) == (
        "no file of this request could be used: "
        "video_sizes[0]: NOT_A_CINE: a still of 1 frame; send a recording of several frames; "
        "video_sizes[1]: EMPTY_FILE: the file has 0 bytes; "
        "video_sizes[2]: NOT_A_VIDEO: the file is neither DICOM, AVI, MP4 nor MPEG"
    )
    assert len(refused.value.video_status) == 3
    assert isinstance(refused.value, InvalidRequestError)


def test_sizes_must_sum_to_the_bytes() -> None:
    with pytest.raises(InvalidRequestError, match=r"^video_sizes sums to 7 bytes, video_bytes holds 10$"):
        preprocess_study(np.zeros(10, np.uint8), np.array([3, 4]), TWO, max_clips=8)


def test_sizes_that_overflow_are_not_fooled() -> None:
    sizes = np.array([2**62, 2**62, 2**62, 2**62, 10])
    with pytest.raises(InvalidRequestError, match=r"^video_sizes sums to 18446744073709551626 bytes"):
        preprocess_study(np.zeros(10, np.uint8), sizes, TWO, max_clips=8)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"^video_sizes\[1\]=-2: a size cannot be negative$"):
        preprocess_study(np.zeros(10, np.uint8), np.array([12, -2]), TWO, max_clips=8)


def test_no_files_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"^video_sizes is empty"):
        preprocess_study(np.zeros(0, np.uint8), np.zeros(0, np.int64), TWO, max_clips=8)


@pytest.mark.parametrize(
    ("content", "sizes", "message"),
    [
        (np.zeros((2, 5), np.uint8), np.array([10]), r"^video_bytes is uint8 of shape \[2, 5\]: must be uint8 of one"),
        (np.zeros(10, np.int8), np.array([10]), r"^video_bytes is int8 of shape \[10\]: must be uint8"),
        (np.zeros(10, np.uint8), np.array([[10]]), r"^video_sizes is int64 of shape \[1, 1\]: must be int64 of one"),
        (np.zeros(10, np.uint8), np.array([10.0]), r"^video_sizes is float64 of shape \[1\]: must be int64"),
    ],
)
def test_tensors_of_another_type_or_shape_are_refused(
    content: NDArray[np.uint8], sizes: NDArray[np.int64], message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        preprocess_study(content, sizes, TWO, max_clips=8)


def test_too_many_clips_say_how_to_split(cines: list[bytes]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        study(*cines, options=ClipOptions(num_clips=4), max_clips=10)
    assert str(refused.value) == (
        "the request makes more clips (12 or more; up to 24 from 6 files) than the limit of 10 with clip_length=16: "
        "send at most 2 videos per request with num_clips=4, or lower num_clips; gather clip_logits of the requests "
        "and aggregate them with the `postprocessing` model"
    )


def test_one_video_over_the_limit_asks_for_fewer_clips(sonosite: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"than the limit of 3 with clip_length=16: lower num_clips; gather"):
        study(sonosite, options=ClipOptions(num_clips=4), max_clips=3)


def test_the_limit_itself_fits_and_bad_files_take_no_room(cines: list[bytes], still: bytes) -> None:
    made = study(still, cines[0], b"", cines[1], still, max_clips=4)
    assert len(made.clips) == 4


def test_long_clips_leave_room_for_fewer(cines: list[bytes]) -> None:
    limits = Limits(max_clip_frames=64)
    long = ClipOptions(num_clips=1, clip_length=32)
    assert study(*cines[:2], options=long, limits=limits).clips.shape[:2] == (2, 32)
    with pytest.raises(InvalidRequestError, match=r"than the limit of 2 with clip_length=32: send at most 2 videos"):
        study(*cines[:3], options=long, limits=limits)


def test_too_many_files_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"^video_sizes names 3 files, the limit of a request is 2: send few"):
        study(b"a", b"b", b"c", limits=Limits(max_files=2))


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"^video_bytes holds 6 bytes, the limit of a request is 5: send few"):
        study(b"abc", b"def", limits=Limits(max_request_bytes=5))


def test_clips_that_would_not_fit_into_memory_are_refused_before_a_file_is_opened() -> None:
    memory = read_memory()
    assert memory is not None
    for wanted, refusal, text in (
        ((memory.available + memory.total) // 2, ShortOfMemoryError, r"^short of memory: clips .* may be 4 MiB, which"),
        (memory.total * 2, InvalidRequestError, r"^clips of this request may be 4 MiB, .* the server's memory is \d"),
    ):
        with pytest.raises(refusal, match=text):
            study(b"not opened", limits=Limits(memory_copies=wanted // (2 * 16 * 224 * 224 * 3)))


@pytest.mark.parametrize("threads", [1, 2])
def test_cancelled_work_stops_before_the_next_file(cines: list[bytes], threads: int) -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 2

    with pytest.raises(RequestCancelledError, match="nobody waits"):
        study(*different_cines(cines[0], 20), threads=threads, cancelled=cancelled)
    assert 3 <= len(asked) <= 20


def test_nothing_is_decoded_beyond_the_limit(sonosite: bytes, cines: list[bytes]) -> None:
    # The third file opens well but cannot be decoded: the limit is noticed first, even with on_error="fail".
    spoilt = sonosite.replace(b"\xff\xd8\xff", bytes(3))
    with pytest.raises(NoUsableVideoError, match="CORRUPT_FRAME"):
        study(spoilt)
    fail = ClipOptions(num_clips=2, on_error="fail")
    with pytest.raises(InvalidRequestError, match=r"than the limit of 4"):
        study(*cines[:2], spoilt, options=fail, max_clips=4)


def test_bytes_need_not_be_contiguous(sonosite: bytes) -> None:
    spread = np.frombuffer(sonosite, np.uint8).repeat(2)[::2]
    made = preprocess_study(spread, np.array([len(sonosite)]), TWO, max_clips=8)
    np.testing.assert_array_equal(made.clips, video_clips(sonosite, TWO))


@pytest.mark.parametrize("framing", ["auto", "whole"])
def test_threads_change_nothing(framing: FramingName, sonosite: bytes, uncompressed: bytes, still: bytes) -> None:
    files = (sonosite, b"hello", uncompressed, still, sonosite, uncompressed[:-5000])
    options = ClipOptions(num_clips=2, framing=framing)
    alone, together = study(*files, options=options), study(*files, options=options, threads=4)
    assert together.video_status == alone.video_status
    np.testing.assert_array_equal(together.clip_video, alone.clip_video)
    np.testing.assert_array_equal(together.clips, alone.clips)


def test_errors_are_the_same_in_threads(sonosite: bytes, cines: list[bytes]) -> None:
    with pytest.raises(InvalidRequestError, match=r"than the limit of 10"):
        study(*cines, options=ClipOptions(num_clips=4), max_clips=10, threads=3)
    with pytest.raises(InvalidRequestError, match=r"^video_sizes\[1\]: EMPTY_FILE"):
        study(sonosite, b"", options=ClipOptions(on_error="fail"), threads=3)


@pytest.mark.parametrize("framing", ["auto", "whole"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("num_clips", [1, 3])
def test_key_frames_are_middle_frames_red_first(
    framing: FramingName, threads: int, num_clips: int, sonosite: bytes, uncompressed: bytes
) -> None:
    files = (sonosite, b"no video", uncompressed)
    options = ClipOptions(num_clips=num_clips, clip_length=3, framing=framing, key_frames=True)
    made = study(*files, options=options, threads=threads)
    middle = ClipOptions(num_clips=1, clip_length=1, framing=framing)
    expected = [video_clips(file, middle)[0, 0, :, :, ::-1] for file in (sonosite, uncompressed)]
    np.testing.assert_array_equal(made.key_frames, [expected[0], np.zeros_like(expected[0]), expected[1]])
    without = study(*files, options=replace(options, key_frames=False), threads=threads)
    assert (without.key_frames.shape, str(without.key_frames.dtype)) == ((0, 224, 224, 3), "uint8")
    np.testing.assert_array_equal(made.clips, without.clips)


def test_key_frames_count_for_the_memory() -> None:
    memory = read_memory()
    assert memory is not None
    limits = Limits(memory_copies=memory.total * 2 // (3 * 224 * 224 * 3))  # one frame fits into it, two do not
    options = ClipOptions(num_clips=1, clip_length=1)
    with pytest.raises((NoUsableVideoError, ShortOfMemoryError)):
        study(b"no video", options=options, limits=limits)
    with pytest.raises(InvalidRequestError, match="the server's memory is"):
        study(b"no video", options=replace(options, key_frames=True), limits=limits)
