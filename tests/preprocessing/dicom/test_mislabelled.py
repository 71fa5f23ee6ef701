"""Streams under another transfer syntax than theirs, stray bytes between fragments, images for volumes."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import cine_of, count_of, frames_of, with_transfer_syntax

START = "1.2.840.10008.1.2.4."


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, f"{START}90", f"{START}80", f"{START}70", f"{START}110"])
def test_jpeg_under_another_syntax_is_read(syntax: str, sonosite: bytes) -> None:
    np.testing.assert_array_equal(frames_of(with_transfer_syntax(sonosite, syntax), [3]), frames_of(sonosite, [3]))


@pytest.mark.parametrize("syntax", [f"{START}50", ExplicitVRLittleEndian, "1.2.840.10008.1.2.5"])
@pytest.mark.parametrize(
    "name", ["philips_mono_jpegls.dcm", "sc_htj2k_rgb.dcm", "acuson_ybr_full_rle_planar1.dcm", "ge_us1_j2ki.dcm"]
)
def test_other_streams_under_another_syntax_are_read(name: str, syntax: str, shared: Callable[[str], bytes]) -> None:
    data = shared(name)
    np.testing.assert_array_equal(frames_of(with_transfer_syntax(data, syntax)), frames_of(data))


def test_uncompressed_pixels_under_a_compressed_syntax_are_read(
    dicom: Callable[..., bytes], grey: NDArray[np.uint8]
) -> None:
    np.testing.assert_array_equal(frames_of(with_transfer_syntax(dicom(grey), f"{START}50"), [4]), grey[[4]])


def test_a_stream_without_fragments_is_named(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], jpegs: list[bytes], bgr: NDArray[np.uint8]
) -> None:
    data = saved(data_set(bgr, PixelData=b"".join(jpegs)))
    with pytest.raises(VideoError, match=r"^UNSUPPORTED_TRANSFER_SYNTAX: the pixel data is a compressed stream"):
        cine_of(data)


def test_pads_that_fragments_do_not_count(sonosite: bytes, rewritten: Callable[..., bytes], jpegs: list[bytes]) -> None:
    table, items = encapsulate([b"ab"])[:8], b""
    for jpeg in jpegs:
        stream = jpeg.rstrip(b"\0")
        items += b"\xfe\xff\x00\xe0" + len(stream).to_bytes(4, "little") + stream + b"\0" * (len(stream) % 2)
    assert any(len(jpeg.rstrip(b"\0")) % 2 for jpeg in jpegs)
    data = rewritten(PixelData=table[:4] + bytes(4) + items)
    np.testing.assert_array_equal(frames_of(data), frames_of(sonosite))


@pytest.mark.parametrize(("declared", "is_read"), [(30, True), (29, True), (100, True), (1, True), (6, False)])
def test_several_images_for_each_frame_are_refused(
    declared: int,
    is_read: bool,  # noqa: FBT001 - a parameter of the test
    rewritten: Callable[..., bytes],
) -> None:
    data = rewritten(NumberOfFrames=declared)
    if is_read:
        assert count_of(data) == 30
    else:
        with pytest.raises(VideoError, match=r"^SIZE_MISMATCH: the header says 6 frame\(s\), the file holds 30 images"):
            cine_of(data)


STRAY = [b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0"]


@pytest.mark.parametrize("tag", STRAY)
@pytest.mark.parametrize("before", [b"\x28\x00\x02\x00US", b"\x28\x00\x10\x00US", b"\xe0\x7f\x10\x00OB"])
def test_stray_delimiters_in_the_header(tag: bytes, before: bytes, field: Callable[[str], bytes]) -> None:
    clean = field("reference_jpeg.dcm")
    at = clean.index(before)
    expected = video_clips(clean, ClipOptions())
    np.testing.assert_array_equal(video_clips(clean[:at] + tag + bytes(4) + clean[at:], ClipOptions()), expected)


def test_the_reported_file(field: Callable[[str], bytes]) -> None:
    data = field("stray_sequence_delimiter.dcm")
    assert dcmread(io.BytesIO(data)).NumberOfFrames == 16
    expected = video_clips(field("reference_jpeg.dcm"), ClipOptions())
    np.testing.assert_array_equal(video_clips(data, ClipOptions()), expected)
