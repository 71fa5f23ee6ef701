import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.uid import UID, JPEGBaseline8Bit, RLELossless

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import cine_of, frames_of, with_transfer_syntax, without_transfer_syntax

FIRST_AND_LAST = ClipOptions(framing="whole", num_clips=2, clip_length=4)  # of 30 frames: 0 to 3 and 26 to 29
SAMPLED = {*range(4), *range(26, 30)}
OTHERS = [index for index in range(30) if index not in SAMPLED]


def spoil_fragments(data: bytes, indices: list[int]) -> bytes:
    """Overwrite whole compressed frames with nonsense."""
    spoilt, buffer = bytearray(data), io.BytesIO(data)
    buffer.seek(data.index(b"\xe0\x7f\x10\x00OB") + 12)
    parse_basic_offsets(buffer)
    count, positions = parse_fragments(buffer)
    assert count == 30
    for index in indices:
        start = positions[index] + 8
        length = int.from_bytes(data[start - 4 : start], "little")
        spoilt[start : start + length] = b"\xab" * length
    return bytes(spoilt)


def test_only_the_jpeg_frames_that_are_sampled_are_decoded(sonosite: bytes) -> None:
    spoilt = spoil_fragments(sonosite, OTHERS)
    np.testing.assert_array_equal(video_clips(spoilt, FIRST_AND_LAST), video_clips(sonosite, FIRST_AND_LAST))
    with pytest.raises(VideoError, match=r"^CORRUPT_FRAME: frame 4: no JPEG stream"):
        video_clips(spoilt, ClipOptions(framing="whole"))


def test_to_find_the_sector_eight_frames_of_the_whole_cine_are_decoded_too(sonosite: bytes) -> None:
    options = ClipOptions(num_clips=1, clip_length=2)
    probed_or_sampled = {0, 4, 8, 12, 14, 15, 17, 21, 25, 29}
    others = [index for index in range(30) if index not in probed_or_sampled]
    np.testing.assert_array_equal(
        video_clips(spoil_fragments(sonosite, others), options), video_clips(sonosite, options)
    )
    for index in probed_or_sampled:
        with pytest.raises(VideoError, match=f"^CORRUPT_FRAME: frame {index}: "):
            video_clips(spoil_fragments(sonosite, [index]), options)


def test_only_the_rle_frames_that_are_sampled_are_decoded(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    file = data_set(grey)
    file.compress(RLELossless, generate_instance_uid=False)
    data = saved(file)
    spoilt = spoil_fragments(data, OTHERS)
    np.testing.assert_array_equal(video_clips(spoilt, FIRST_AND_LAST), video_clips(data, FIRST_AND_LAST))
    with pytest.raises(VideoError, match=r"^CORRUPT_FRAME: frame 4: the RLE frame has 15 segments$"):
        video_clips(spoilt, ClipOptions(framing="whole"))


def test_only_the_uncompressed_frames_that_are_sampled_are_read(
    dicom: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    spoilt = grey.copy()
    spoilt[OTHERS] = 255
    np.testing.assert_array_equal(video_clips(dicom(spoilt), FIRST_AND_LAST), video_clips(dicom(grey), FIRST_AND_LAST))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2"),
        ("1.2.840.10008.1.2.4.94", "JPIP Referenced"),
        ("1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20"),
        ("1.2.3.4.5", "private or unknown"),
    ],
)
def test_another_transfer_syntax_is_named_with_what_to_do(syntax: str, name: str, sonosite: bytes) -> None:
    with pytest.raises(VideoError) as refused:
        cine_of(with_transfer_syntax(sonosite, syntax))
    start, end = str(refused.value).split(" is not read; ")
    assert start.startswith(f"UNSUPPORTED_TRANSFER_SYNTAX: transfer syntax {syntax} ({name}")
    assert end == "convert the file to Explicit VR Little Endian (uncompressed) or JPEG Baseline first"


def test_a_missing_transfer_syntax_is_guessed_only_for_uncompressed_pixels(
    dicom: Callable[..., bytes], grey: NDArray[np.uint8], sonosite: bytes
) -> None:
    plain = without_transfer_syntax(dicom(grey))
    np.testing.assert_array_equal(frames_of(plain, [7]), grey[[7]])
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_TRANSFER_SYNTAX: the file names no valid transfer syntax"):
        cine_of(without_transfer_syntax(sonosite))


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # video_clips silences pydicom; this is below it
def test_a_transfer_syntax_that_is_no_uid_is_not_repeated(sonosite: bytes) -> None:
    data = with_transfer_syntax(sonosite, "JOHN DOE")
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_TRANSFER_SYNTAX: the file names no valid transfer syntax"):
        cine_of(data)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, RLELossless])
def test_no_complete_frame_is_truncated(syntax: UID, rewritten: Callable[..., bytes], sonosite: bytes) -> None:
    file_meta = dcmread(io.BytesIO(sonosite)).file_meta
    file_meta.TransferSyntaxUID = syntax
    data = rewritten(file_meta=file_meta, PhotometricInterpretation="RGB")
    first = data.index(b"\xff\xd8\xff")
    with pytest.raises(VideoError, match=r"^TRUNCATED: the file holds no complete frame$"):
        cine_of(data[: first + 500])
