import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.uid import UID, JPEGBaseline8Bit, RLELossless

from panecho_preprocessing import Options, VideoError, video_clips
from panecho_preprocessing.dicom import open_dicom

TRANSFER_SYNTAX = b"\x02\x00\x10\x00UI"
FIRST_AND_LAST = Options(num_clips=2, clip_length=4)  # of 30 frames: 0 to 3 and 26 to 29
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
        video_clips(spoilt, Options())


def test_only_the_rle_frames_that_are_sampled_are_decoded(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    file = data_set(grey)
    file.compress(RLELossless, generate_instance_uid=False)
    data = saved(file)
    spoilt = spoil_fragments(data, OTHERS)
    np.testing.assert_array_equal(video_clips(spoilt, FIRST_AND_LAST), video_clips(data, FIRST_AND_LAST))
    with pytest.raises(VideoError, match=r"^CORRUPT_FRAME: frame 4 cannot be decoded \(\w+\)$"):
        video_clips(spoilt, Options())


def test_only_the_uncompressed_frames_that_are_sampled_are_read(
    dicom: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    spoilt = grey.copy()
    spoilt[OTHERS] = 255
    np.testing.assert_array_equal(video_clips(dicom(spoilt), FIRST_AND_LAST), video_clips(dicom(grey), FIRST_AND_LAST))


@pytest.mark.parametrize(
    ("syntax", "name", "advice"),
    [
        ("1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", "dcmdjpeg"),
        ("1.2.840.10008.1.2.4.57", "JPEG Lossless", "dcmdjpeg"),
        ("1.2.840.10008.1.2.4.70", "JPEG Lossless", "dcmdjpeg"),
        ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", "dcmdjpls"),
        ("1.2.840.10008.1.2.4.91", "JPEG 2000 Image Compression", "gdcmconv --raw"),
        ("1.2.840.10008.1.2.4.100", "MPEG2", "send the MPEG or MP4 stream inside it as a file"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4", "send the MPEG or MP4 stream inside it as a file"),
        ("1.2.840.10008.1.2.4.107", "HEVC", "send the MPEG or MP4 stream inside it as a file"),
        ("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", "convert the file to Explicit VR Little Endian"),
        ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000", "convert the file to Explicit VR Little Endian"),
        ("1.2.3.4.5", "private or unknown", "convert the file to Explicit VR Little Endian"),
    ],
)
def test_another_transfer_syntax_is_named_with_what_to_do(syntax: str, name: str, advice: str, sonosite: bytes) -> None:
    with pytest.raises(VideoError) as refused:
        open_dicom(memoryview(with_transfer_syntax(sonosite, syntax)))
    start, end = str(refused.value).split(" is not read; ")
    assert start.startswith(f"UNSUPPORTED_TRANSFER_SYNTAX: transfer syntax {syntax} ({name}")
    assert advice in end


@pytest.mark.parametrize(
    "name",
    [
        "ct_2f_fragmented_no_bot_jpeg51.dcm",
        "ge_us1_j2ki.dcm",
        "ge_vivid_e95_colordoppler_27f_jpegxl_recompressed.dcm",
        "medistim_2f_jpeglossless_rgb.dcm",
        "philips_mono_jpegls.dcm",
        "sc_htj2k_rgb.dcm",
    ],
)
def test_real_files_of_another_transfer_syntax(name: str, shared: Callable[[str], bytes]) -> None:
    data = shared(name)
    syntax = dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID
    with pytest.raises(VideoError, match=rf"^UNSUPPORTED_TRANSFER_SYNTAX: transfer syntax {syntax} \([A-Z]"):
        open_dicom(memoryview(data))


def with_transfer_syntax(data: bytes, syntax: str) -> bytes:
    """Exchange the element's bytes: pydicom writes no file in a syntax that it does not know."""
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    element = TRANSFER_SYNTAX + len(value).to_bytes(2, "little") + value
    position = data.index(TRANSFER_SYNTAX)
    others = without_transfer_syntax(data)
    return others[:position] + element + others[position:]


def without_transfer_syntax(data: bytes) -> bytes:
    position = data.index(TRANSFER_SYNTAX)
    return data[:position] + data[position + 8 + int.from_bytes(data[position + 6 : position + 8], "little") :]


def test_a_missing_transfer_syntax_is_guessed_only_for_uncompressed_pixels(
    dicom: Callable[..., bytes], grey: NDArray[np.uint8], sonosite: bytes
) -> None:
    plain = without_transfer_syntax(dicom(grey))
    np.testing.assert_array_equal(list(open_dicom(memoryview(plain)).frames([7])), grey[[7]])
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_TRANSFER_SYNTAX: the file names no valid transfer syntax"):
        open_dicom(memoryview(without_transfer_syntax(sonosite)))


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # video_clips silences pydicom; this is below it
def test_a_transfer_syntax_that_is_no_uid_is_not_repeated(sonosite: bytes) -> None:
    data = with_transfer_syntax(sonosite, "JOHN DOE")
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_TRANSFER_SYNTAX: the file names no valid transfer syntax"):
        open_dicom(memoryview(data))


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, RLELossless])
def test_no_complete_frame_is_truncated(syntax: UID, rewritten: Callable[..., bytes], sonosite: bytes) -> None:
    file_meta = dcmread(io.BytesIO(sonosite)).file_meta
    file_meta.TransferSyntaxUID = syntax
    data = rewritten(file_meta=file_meta, PhotometricInterpretation="RGB")
    first = data.index(b"\xff\xd8\xff")
    with pytest.raises(VideoError, match=r"^TRUNCATED: the file holds no complete frame$"):
        open_dicom(memoryview(data[: first + 500]))
