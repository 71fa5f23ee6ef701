"""The same video under several names in one request counts once."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from panecho_preprocessing import ClipOptions, InvalidRequestError, NoUsableVideoError, StudyClips, preprocess_study

COPY = "DUPLICATE: the same video as video_sizes[0]; it counts once"


def study(*files: bytes, max_clips: int = 64, threads: int = 1, **options: object) -> StudyClips:
    content = np.frombuffer(b"".join(files), np.uint8)
    sizes = np.array([len(file) for file in files], dtype=np.int64)
    chosen = ClipOptions(**{"num_clips": 1, **options})  # type: ignore[arg-type]  # checked when it is made
    return preprocess_study(content, sizes, chosen, max_clips=max_clips, threads=threads)


@pytest.mark.parametrize("threads", [1, 4])
def test_one_file_under_three_names(threads: int, sonosite: bytes) -> None:
    made = study(sonosite, sonosite, sonosite, threads=threads)
    assert made.video_status == ("ok", COPY, COPY)
    assert made.clip_video.tolist() == [0]
    np.testing.assert_array_equal(made.clips, study(sonosite).clips)


def test_copies_take_no_room(sonosite: bytes) -> None:
    assert study(*[sonosite] * 5, max_clips=1).video_status == ("ok", *[COPY] * 4)


def test_the_same_pixels_under_another_header(rewritten: Callable[..., bytes], sonosite: bytes) -> None:
    other = rewritten(SOPInstanceUID="1.2.3.4.5.6", PatientName="B")
    assert study(sonosite, other).video_status == ("ok", COPY)


def test_the_same_instance_compressed_otherwise(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    plain = data_set(grey)
    packed = data_set(np.clip(grey.astype(int) + 1, 0, 255).astype(np.uint8))
    packed.compress(RLELossless, generate_instance_uid=False)
    assert study(saved(plain), saved(packed)).video_status == ("ok", COPY)


def test_one_uid_in_different_cines_loses_none(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    reversed_, shorter = np.ascontiguousarray(grey[:, ::-1]), grey[:20]
    assert study(dicom(grey), dicom(reversed_), dicom(shorter)).video_status == ("ok", "ok", "ok")


def test_videos_too(cine: Path) -> None:
    video = cine.with_name("sonosite_h264.mp4").read_bytes()
    assert study(video, video + bytes(8)).video_status == ("ok", COPY)


def test_two_cines_of_a_heart_are_not_copies(sonosite: bytes, field: Callable[[str], bytes]) -> None:
    assert study(sonosite, field("reference_jpeg.dcm"), field("grey8_reference.dcm")).video_status == ("ok",) * 3


def test_a_copy_does_not_fail_a_request(sonosite: bytes) -> None:
    assert study(sonosite, sonosite, on_error="fail").video_status == ("ok", COPY)


def test_copies_of_a_file_that_cannot_be_used_say_why() -> None:
    with pytest.raises(NoUsableVideoError) as refused:
        study(b"hello", b"hello", b"", b"")
    assert [status.split(":")[0] for status in refused.value.video_status] == ["NOT_A_VIDEO"] * 2 + ["EMPTY_FILE"] * 2
    with pytest.raises(InvalidRequestError, match=r"^video_sizes\[0\]: NOT_A_VIDEO"):
        study(b"hello", b"hello", on_error="fail")


def test_the_uid_is_not_in_the_text(rewritten: Callable[..., bytes], sonosite: bytes) -> None:
    uid = dcmread(io.BytesIO(sonosite)).SOPInstanceUID
    assert uid not in "".join(study(sonosite, rewritten(PatientName="B")).video_status)
