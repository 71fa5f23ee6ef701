"""The layout of uncompressed pixels follows from their length; what fits no layout is refused."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from panecho_preprocessing.dicom.native import NativeFrames
from support.reading import cine_of, header_of

Make = Callable[..., bytes]
Pixels = NDArray[Any]


class Case(NamedTuple):
    """How a cine is written: `chroma` shares it between two pixels; `padded` pads each odd frame."""

    samples: int
    bits: int
    planar: bool
    chroma: bool
    padded: bool


CASES = [
    *(Case(samples, bits, False, False, padded) for samples in (1, 3) for bits in (8, 16) for padded in (False, True)),
    *(Case(3, bits, True, False, padded) for bits in (8, 16) for padded in (False, True)),
    *(Case(3, 8, False, True, padded) for padded in (False, True)),
]


@pytest.fixture
def written(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes]) -> Make:
    """Write frames under any layout: `pixels` [n, rows, columns(, 3)], `stored` what the file holds of each."""

    def write(pixels: Pixels, stored: list[bytes], syntax: str = ExplicitVRLittleEndian, **elements: object) -> bytes:
        joined = b"".join(stored)
        return saved(data_set(pixels, syntax, **elements, PixelData=joined + b"\0" * (len(joined) % 2)))

    return write


def stored_frame(frame: Pixels, case: Case) -> bytes:
    if case.chroma:
        wide = np.pad(frame, ((0, 0), (0, frame.shape[1] % 2), (0, 0)))
        luma = wide[..., 0].reshape(len(wide), -1, 2)
        data = np.concatenate([luma, wide[:, ::2, 1:]], axis=-1).tobytes()
    else:
        data = np.ascontiguousarray(frame.transpose(2, 0, 1) if case.planar else frame).tobytes()
    return bytes(data + b"\xee" * (case.padded and len(data) % 2))


def as_read(frame: Pixels, case: Case) -> Pixels:
    if not case.chroma:
        return frame
    return np.concatenate([frame[..., :1], frame[:, ::2, 1:].repeat(2, axis=1)[:, : frame.shape[1]]], axis=-1)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_any_size_comes_back_exactly(case: Case, seed: int, written: Make) -> None:
    random = Random(seed)  # noqa: S311 - for reproducible sizes
    rows, columns, count = random.randrange(1, 40), random.randrange(1, 40), random.choice((1, 2, 3, 5, 6, 12, 29))
    shape: tuple[int, ...] = (count, rows, columns, 3)[: 4 if case.samples == 3 else 3]
    pixels = np.random.default_rng(seed).integers(1, 1 << case.bits, shape).astype(f"u{case.bits // 8}")
    elements: dict[str, object] = {"PlanarConfiguration": int(case.planar)} if case.samples == 3 else {}
    if case.chroma:
        elements["PhotometricInterpretation"] = "YBR_FULL_422"
    frames = NativeFrames(header_of(written(pixels, [stored_frame(frame, case) for frame in pixels], **elements)))
    assert frames.count == count
    for index, frame in enumerate(pixels):
        np.testing.assert_array_equal(frames.decode(index).samples, as_read(frame, case))


@pytest.mark.parametrize("name", ["odd_frames_rgb_padded_each.dcm", "odd_frames_rgb_reference.dcm"])
def test_the_reported_file(name: str, field: Callable[[str], bytes]) -> None:
    expected = video_clips(field("odd_frames_rgb_reference.dcm"), ClipOptions())
    assert expected.max() > 100
    np.testing.assert_array_equal(video_clips(field(name), ClipOptions()), expected)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_padded_frames_in_every_syntax(syntax: str, written: Make, grey: NDArray[np.uint8]) -> None:
    odd = np.ascontiguousarray(grey[:5, :25, :31])
    frames = NativeFrames(header_of(written(odd, [frame.tobytes() + b"\7" for frame in odd], syntax)))
    np.testing.assert_array_equal([frames.decode(index).samples for index in range(frames.count)], odd)


def test_the_last_frame_may_lack_its_pad_and_the_file_may_be_cut_off(written: Make, grey: NDArray[np.uint8]) -> None:
    odd = np.ascontiguousarray(grey[:7, :25, :31])
    data = written(odd, [*(frame.tobytes() + b"\7" for frame in odd[:-1]), odd[-1].tobytes()])
    assert NativeFrames(header_of(data)).count == 7
    whole = written(odd, [frame.tobytes() + b"\7" for frame in odd])
    for cut, count in ((1, 7), (2, 6), (777, 6), (778, 5)):
        frames = NativeFrames(header_of(whole[:-cut]))
        assert frames.count == count
        np.testing.assert_array_equal(frames.decode(count - 1).samples, odd[count - 1])


@pytest.mark.parametrize("extra", [2, 3, 7, 8, 16, 512, 5000])
def test_bytes_that_no_layout_explains_are_refused_with_the_lengths(
    extra: int, written: Make, grey: NDArray[np.uint8]
) -> None:
    data = written(grey, [grey.tobytes() + b"\0" * (extra + extra % 2)])
    length, frames = grey.size + extra + extra % 2, 30 * 240 * 320
    with pytest.raises(VideoError) as refused:
        cine_of(data)
    assert str(refused.value) == (
        f"SIZE_MISMATCH: the pixel data is {length} bytes long, but 30 frame(s) of 320 x 240 pixels with 1 sample(s) "
        f"of 8 bits take {frames}; correct the header"
    )


@pytest.mark.parametrize(
    ("claimed", "stored"),
    [
        ({"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}, "colour"),
        ({"BitsAllocated": 16, "BitsStored": 16}, "grey"),
        ({"BitsAllocated": 16, "BitsStored": 16}, "colour"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "grey"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "BitsAllocated": 16, "BitsStored": 16}, "grey"),
        ({"NumberOfFrames": 6}, "grey"),
        ({"NumberOfFrames": 15}, "colour"),
        ({"NumberOfFrames": 2}, "grey"),
        ({"Rows": 241}, "grey"),
        ({"Columns": 319}, "colour"),
    ],
)
def test_samples_of_another_size_are_not_taken_for_another_number_of_frames(
    claimed: dict[str, object], stored: str, dicom: Make, bgr: NDArray[np.uint8], grey: NDArray[np.uint8]
) -> None:
    with pytest.raises(VideoError, match=r"^SIZE_MISMATCH: the pixel data is \d+ bytes long, but \d+ frame"):
        cine_of(dicom({"colour": bgr, "grey": grey}[stored], **claimed))


@pytest.mark.parametrize("declared", [None, 1])
@pytest.mark.parametrize("size", [2, 4])
def test_one_frame_of_wider_samples_is_not_a_cine(
    declared: int | None, size: int, dicom: Make, grey: NDArray[np.uint8]
) -> None:
    with pytest.raises(VideoError, match=r"^SIZE_MISMATCH: "):
        cine_of(dicom(grey[:size], NumberOfFrames=declared))


def test_four_samples_under_the_label_of_three(written: Make, bgr: NDArray[np.uint8]) -> None:
    argb = np.pad(bgr, ((0, 0), (0, 0), (0, 0), (1, 0)))
    with pytest.raises(VideoError, match=r"^SIZE_MISMATCH: "):  # 40 whole frames of three samples
        cine_of(written(bgr, [argb.tobytes()]))
