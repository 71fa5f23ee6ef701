import io
import os
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from panecho_preprocessing import ClipOptions, VideoError, VideoErrorCode, video_clips

WHOLE = ClipOptions(framing="whole")
ONE = ClipOptions(framing="whole", num_clips=1)
Expected = Callable[..., NDArray[np.uint8]]


def test_a_real_cine(sonosite: bytes, bgr: NDArray[np.uint8], expected: Expected) -> None:
    clips = video_clips(sonosite, WHOLE)
    assert (clips.shape, clips.flags.c_contiguous) == ((4, 16, 224, 224, 3), True)
    np.testing.assert_array_equal(clips, expected(bgr, [0, 3, 9, 12]))


def test_length_stride_and_number_of_clips(sonosite: bytes, bgr: NDArray[np.uint8], expected: Expected) -> None:
    clips = video_clips(sonosite, ClipOptions(framing="whole", num_clips=3, clip_length=5, frame_stride=2))
    np.testing.assert_array_equal(clips, expected(bgr, [0, 10, 21], length=5, stride=2))


def test_one_clip_is_the_middle(sonosite: bytes, bgr: NDArray[np.uint8], expected: Expected) -> None:
    np.testing.assert_array_equal(video_clips(sonosite, ONE), expected(bgr, [7]))


def test_a_short_cine_repeats_its_last_frame(
    dicom: Callable[..., bytes], grey: NDArray[np.uint8], expected: Expected
) -> None:
    clips = video_clips(dicom(grey[:5]), ClipOptions(framing="whole", num_clips=2))
    np.testing.assert_array_equal(clips, expected(grey[:5], [0, 0]))
    np.testing.assert_array_equal(clips[0, 4], clips[0, 15])
    assert (clips[0, 3] != clips[0, 4]).any()


@pytest.mark.parametrize("kind", ["RGB", "MONOCHROME2", "RLE"])
def test_other_encodings_of_the_same_frames(  # noqa: PLR0917  # fixtures
    kind: str,
    data_set: Callable[..., Dataset],
    saved: Callable[[Dataset], bytes],
    bgr: NDArray[np.uint8],
    grey: NDArray[np.uint8],
    expected: Expected,
) -> None:
    file = data_set(grey if kind == "MONOCHROME2" else bgr[..., ::-1])
    if kind == "RLE":
        file.compress(RLELossless, generate_instance_uid=False)
    clips = video_clips(saved(file), ClipOptions(framing="whole", num_clips=2))
    np.testing.assert_array_equal(clips, expected(grey if kind == "MONOCHROME2" else bgr, [0, 12]))


def test_colour_doppler_keeps_its_colours_in_opencv_order(shared: Callable[[str], bytes]) -> None:
    clips = video_clips(shared("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm"), ONE)
    # Frame 13, in clip frame 13 - 5: at (334, 620) of 708 x 1016 the flow is blue in every decoder (see test_jpeg.py).
    blue, _, red = clips[0, 8, round(334 * 256 / 708) - 16, round(620 * 256 / 1016) - 16].tolist()
    assert blue > red + 40


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_bytes_may_come_in_any_buffer(make: Callable[[bytes], bytes], sonosite: bytes) -> None:
    assert video_clips(make(sonosite), ONE).sum() == video_clips(sonosite, ONE).sum()


def test_the_same_file_gives_the_same_clips(sonosite: bytes) -> None:
    np.testing.assert_array_equal(video_clips(sonosite, WHOLE), video_clips(sonosite, WHOLE))


def test_overlapping_clips_share_the_work(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    large = np.repeat(np.repeat(grey[:17], 4, axis=1), 4, axis=2)
    data = dicom(large)

    def seconds(clips: int) -> float:
        start = time.process_time()
        video_clips(data, ClipOptions(framing="whole", num_clips=clips))
        return time.process_time() - start

    one, many = (min(seconds(clips) for _ in range(3)) for clips in (1, 16))
    assert many < 8 * one  # 16 clips of the same 17 frames


def test_a_still_is_not_a_cine(shared: Callable[[str], bytes]) -> None:
    with pytest.raises(
        VideoError, match=r"^NOT_A_CINE: a still of 1 frame; send a recording of several frames$"
    ) as refused:
        video_clips(shared("ge_rgb_240x320.dcm"), WHOLE)
    assert refused.value.code is VideoErrorCode.NOT_A_CINE


def test_a_damaged_header_names_only_the_kind_of_error() -> None:
    with pytest.raises(VideoError, match=r"^(UNREADABLE_DICOM|NO_PIXEL_DATA): "):
        video_clips(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00", WHOLE)


def test_what_pydicom_raises_becomes_a_status(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    data = dicom(grey)
    # An undefined-length sequence whose item is no item, before the image's own elements.
    broken = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff" + b"PATIENT^" * 4
    position = data.index(b"\x10\x00\x10\x00PN")
    with pytest.raises(VideoError) as refused:
        video_clips(data[:position] + broken + data[position:], WHOLE)
    assert refused.value.code is VideoErrorCode.UNREADABLE_DICOM
    assert "PATIENT" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_sequences_without_bottom_become_a_status(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> None:
    data = dicom(grey)
    nested = (b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 5000
    position = data.index(b"\x10\x00\x10\x00PN")
    with pytest.raises(VideoError, match=r"^UNREADABLE_DICOM: the file is damaged or not understood \(\w+\)$"):
        video_clips(data[:position] + nested + data[position:], WHOLE)


def test_random_damage_never_raises_anything_else(sonosite: bytes) -> None:
    random = np.random.default_rng(7)
    outcomes: set[str | None] = set()
    for _ in range(150):
        damaged = np.frombuffer(sonosite, np.uint8).copy()
        where = random.integers(0, 2500, 40)
        damaged[where] = random.integers(0, 256, 40, dtype=np.uint8)
        try:
            video_clips(damaged, ClipOptions(framing="whole", num_clips=1, clip_length=2))
        except VideoError as error:
            outcomes.add(error.code)
        else:
            outcomes.add(None)
    assert len(outcomes) > 2


def test_every_prefix_of_a_file_is_answered(sonosite: bytes) -> None:
    for length in [*range(1, 200, 7), *range(200, 9000, 97)]:
        try:
            video_clips(sonosite[:length], ClipOptions(framing="whole", num_clips=1, clip_length=2))
        except VideoError as error:
            assert str(error).startswith(f"{error.code}: ")  # noqa: PT017  # whether it raises depends on the length


def test_real_files_give_the_number_of_clips_asked_for(shared: Callable[[str], bytes]) -> None:
    data = shared("acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm")
    assert video_clips(data, ClipOptions(num_clips=5)).shape == (5, 16, 224, 224, 3)


def test_reading_leaves_opencv_and_environment_alone(sonosite: bytes) -> None:
    threads, environment = cv2.getNumThreads(), dict(os.environ)
    video_clips(sonosite, ONE)
    assert (cv2.getNumThreads(), dict(os.environ)) == (threads, environment)


def test_pydicom_agrees_on_the_real_cine_without_compression(
    sonosite: bytes, saved: Callable[[Dataset], bytes], bgr: NDArray[np.uint8]
) -> None:
    file = dcmread(io.BytesIO(sonosite))
    file.PixelData = bgr[..., ::-1].tobytes()
    file["PixelData"].is_undefined_length = False
    file.PhotometricInterpretation, file.PlanarConfiguration = "RGB", 0
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    np.testing.assert_array_equal(video_clips(saved(file), WHOLE), video_clips(sonosite, WHOLE))
