import io
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from panecho_preprocessing import ClipOptions, Limits, VideoError, video_clips
from support.reading import header_of

Dicom = Callable[..., bytes]


@pytest.fixture
def still(dicom: Dicom, grey: NDArray[np.uint8]) -> bytes:
    return dicom(grey[:1])


def test_a_real_header(sonosite: bytes) -> None:
    header = header_of(sonosite)
    assert (header.rows, header.columns, header.samples, header.photometric) == (240, 320, 3, "YBR_FULL_422")
    assert (header.declared_frames, header.bits_stored, header.undefined_length) == (30, 8, True)


def test_a_header_with_a_stray_delimiter_is_read(shared: Callable[[str], bytes]) -> None:
    data = shared("acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm")
    with pytest.raises(NotImplementedError):
        list(dcmread(io.BytesIO(data)))
    assert header_of(data).declared_frames == 65


def test_without_preamble_and_meta_information(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    for syntax in (ImplicitVRLittleEndian, None):
        data = dicom(grey, *([syntax] if syntax else []))
        bare = data[data.index(b"\x08\x00\x16\x00") :]  # from the first element of the data set
        clips = video_clips(bare, ClipOptions())
        np.testing.assert_array_equal(clips, video_clips(data, ClipOptions()))
    np.testing.assert_array_equal(video_clips(data[128 + 4 :], ClipOptions()), clips)  # meta information, no preamble


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS")  # video_clips silences pydicom; this is below it
@pytest.mark.parametrize("garbage", ["1A", "", "1.5x"])
def test_a_number_of_frames_that_is_no_number_counts_as_missing(
    garbage: str, dicom: Dicom, grey: NDArray[np.uint8]
) -> None:
    data = dicom(grey, NumberOfFrames="30")
    position = data.index(b"\x28\x00\x08\x00IS\x02\x0030")
    written = garbage.encode().ljust(4)
    data = data[: position + 6] + b"\x04\x00" + written + data[position + 10 :]
    assert header_of(data).declared_frames is None
    assert video_clips(data, ClipOptions(num_clips=1)).shape == (1, 16, 224, 224, 3)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "SamplesPerPixel"])
def test_what_cannot_be_guessed_is_asked_for(keyword: str, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    with pytest.raises(VideoError, match=rf"^UNREADABLE_DICOM: {keyword} is missing from the header or not a number$"):
        header_of(dicom(grey, **{keyword: None}))


def test_frames_without_area(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    with pytest.raises(VideoError, match=r"^UNREADABLE_DICOM: Rows or Columns is 0$"):
        header_of(dicom(grey, Rows=0))


def test_frames_over_the_pixel_limit(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    with pytest.raises(VideoError, match=r"^TOO_LARGE: frames of 60000 x 60000 pixels are over the limit of 8847360"):
        header_of(dicom(grey, Rows=60000, Columns=60000))


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"BitsAllocated": 32, "BitsStored": 32}, "1 samples per pixel of 32 bits in 32"),
        ({"BitsAllocated": 1, "BitsStored": 1}, "1 samples per pixel of 1 bits in 1"),
        ({"BitsStored": 12}, "1 samples per pixel of 12 bits in 8"),
        ({"SamplesPerPixel": 4}, "4 samples per pixel"),
    ],
)
def test_other_sample_layouts(elements: dict[str, int], words: str, dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    with pytest.raises(VideoError, match=rf"^UNSUPPORTED_PIXELS: {words}"):
        header_of(dicom(grey, **elements))


def test_no_pixel_data(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], still: bytes) -> None:
    file = data_set(np.zeros((2, 8, 8), dtype=np.uint8))
    del file.PixelData
    with pytest.raises(VideoError, match=r"^NO_PIXEL_DATA: the DICOM file holds no pixel data"):
        header_of(saved(file))
    with pytest.raises(VideoError, match=r"^NO_PIXEL_DATA: .* is cut off before it$"):
        header_of(still[: still.index(b"\xe0\x7f\x10\x00")])


def test_a_real_file_without_pixels(shared: Callable[[str], bytes]) -> None:
    with pytest.raises(VideoError, match=r"^NO_PIXEL_DATA: "):
        header_of(shared("meta_missing_tsyntax.dcm"))


def test_pixel_data_of_an_icon_is_not_taken_for_the_image(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    file = data_set(grey)
    file.IconImageSequence = [data_set(np.full((1, 8, 8), 9, dtype=np.uint8))]
    del file.IconImageSequence[0].file_meta
    header = header_of(saved(file))
    assert (header.rows, len(header.pixels)) == (240, grey.size)


def test_a_real_deflated_file(shared: Callable[[str], bytes]) -> None:
    header = header_of(shared("ot_deflated_512.dcm"))
    assert (header.rows, header.columns) == (512, 512)
    pixels = np.frombuffer(header.pixels, np.uint8).reshape(512, 512)
    np.testing.assert_array_equal(pixels, dcmread(io.BytesIO(shared("ot_deflated_512.dcm"))).pixel_array)


def test_a_deflated_file_that_inflates_without_end_is_refused(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    data = dicom(grey, DeflatedExplicitVRLittleEndian)
    deflated = data.index(b"1.2.840.10008.1.2.1.99") + 22
    deflater = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    zeros = bytes(1 << 24)
    repeats = Limits().max_inflated_bytes // len(zeros) + 1
    bomb = b"".join(deflater.compress(zeros) for _ in range(repeats)) + deflater.flush()
    assert len(bomb) < 4_000_000
    meta_end = 128 + 4 + 12 + int.from_bytes(data[140:144], "little")
    assert meta_end >= deflated
    with pytest.raises(
        VideoError, match=rf"^TOO_LARGE: the deflated file inflates to over {Limits().max_inflated_bytes} bytes$"
    ):
        header_of(data[:meta_end] + bomb)


def test_a_deflated_cine(dicom: Dicom, grey: NDArray[np.uint8]) -> None:
    deflated = video_clips(dicom(grey, DeflatedExplicitVRLittleEndian), ClipOptions())
    np.testing.assert_array_equal(deflated, video_clips(dicom(grey), ClipOptions()))


def test_compressed_pixels_reach_to_the_end_of_the_file(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], jpegs: list[bytes]
) -> None:
    file = data_set(np.zeros((2, 240, 320, 3), dtype=np.uint8), "1.2.840.10008.1.2.4.50")
    file.PixelData = encapsulate(jpegs[:2])
    file["PixelData"].is_undefined_length = True
    data = saved(file)
    assert bytes(header_of(data).pixels) == data[data.index(b"\xe0\x7f\x10\x00") + 12 :]
