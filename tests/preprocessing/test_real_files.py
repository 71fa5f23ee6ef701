"""Every real file: what it is, what its pixels are, and what becomes of it.

Pixels are in OpenCV's order (blue, green, red) at (row, column) of one frame, as an independent decoder gives them:
dcmtk 3.6.7 (`dcmj2pnm --write-raw-pnm`), FFmpeg 5.1's own JPEG-LS and JPEG 2000, Pillow 13 (the Acuson file, which
dcmtk cannot read), or pydicom's published reference (HTJ2K). Files of other scanners are read as if ultrasound.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import as_ultrasound, count_of, frames_of, header_of

Pixels: TypeAlias = dict[tuple[int, int], tuple[int, int, int] | int]
ROUNDING = 2
"""Levels by which decoders differ in the arithmetic of YCbCr; files without it agree exactly."""


@dataclass(frozen=True)
class Real:
    """One file; `shape` is frames, rows, columns and, in colour, 3."""

    name: str
    status: str
    photometric: str = ""
    shape: tuple[int, ...] = ()
    frame: int = 0
    pixels: Pixels = field(default_factory=dict)


FILES = [
    Real(
        "acme_rgb_planar0.dcm",
        "NOT_A_CINE",
        "RGB",
        (1, 120, 256, 3),
        0,
        {(99, 124): (248, 32, 16), (37, 119): (184, 16, 16), (13, 216): (40, 40, 40)},
    ),
    Real(
        "acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm",
        "ok",
        "YBR_FULL_422",
        (65, 456, 576, 3),
        32,
        {
            (48, 330): (18, 67, 107),
            (388, 176): (241, 242, 170),
            (421, 151): (183, 184, 112),
            (155, 502): (198, 198, 198),
        },
    ),
    Real(
        "acuson_ybr_full_rle_planar1.dcm",
        "NOT_A_CINE",
        "YBR_FULL",
        (1, 480, 640, 3),
        0,
        {(107, 203): (38, 37, 38), (338, 346): (36, 35, 36), (347, 316): (52, 51, 52), (220, 204): (41, 40, 41)},
    ),
    Real("badVR_bad_nframes.dcm", "NOT_ULTRASOUND"),
    Real(
        "ct_2f_fragmented_no_bot_jpeg51.dcm",
        "NOT_ULTRASOUND",
        "MONOCHROME2",
        (2, 512, 512),
        0,
        {(395, 102): 132, (319, 87): 132, (273, 173): 131, (186, 108): 131},
    ),
    Real(
        "esaote_ybr_full_422_uncompressed.dcm",
        "NOT_A_CINE",
        "YBR_FULL_422",
        (1, 555, 800, 3),
        0,
        {(84, 610): (153, 152, 153), (110, 567): (55, 54, 55), (131, 788): (56, 55, 56), (147, 797): (59, 58, 59)},
    ),
    Real(
        "ge_rgb_240x320.dcm",
        "NOT_A_CINE",
        "RGB",
        (1, 240, 320, 3),
        0,
        {(106, 303): (0, 255, 255), (104, 15): (0, 242, 255), (79, 43): (165, 165, 165), (68, 41): (33, 33, 33)},
    ),
    Real(
        "ge_us1_j2ki.dcm",
        "NOT_A_CINE",
        "YBR_ICT",
        (1, 480, 640, 3),
        0,
        {(216, 395): (0, 178, 253), (218, 464): (0, 231, 251), (113, 310): (152, 153, 153), (131, 262): (36, 36, 35)},
    ),
    Real(
        "ge_us1_rgb_explicit.dcm",
        "NOT_A_CINE",
        "RGB",
        (1, 480, 640, 3),
        0,
        {(206, 602): (0, 205, 255), (204, 153): (0, 220, 255), (313, 100): (31, 31, 31), (220, 57): (68, 68, 68)},
    ),
    Real(
        "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm",
        "ok",
        "YBR_FULL_422",
        (27, 708, 1016, 3),
        13,
        {(383, 610): (138, 24, 1), (385, 561): (0, 7, 110), (509, 468): (55, 46, 49), (473, 188): (81, 105, 103)},
    ),
    Real(
        "ge_vivid_e95_colordoppler_27f_jpegxl_recompressed.dcm",
        "ok",
        "YBR_FULL_422",
        (27, 708, 1016, 3),
        13,
        {(383, 610): (138, 24, 1), (385, 561): (0, 7, 110), (509, 468): (55, 46, 49), (473, 188): (81, 105, 103)},
    ),
    Real(
        "medistim_2f_jpeglossless_rgb.dcm",
        "ok",
        "RGB",
        (2, 768, 1024, 3),
        1,
        {(40, 91): (0, 132, 255), (710, 766): (255, 0, 0), (458, 522): (169, 169, 169), (549, 391): (48, 48, 48)},
    ),
    Real("meta_missing_tsyntax.dcm", "NO_PIXEL_DATA"),
    Real("mpeg2_sample_83claimed_78read.mpeg", "ok"),
    Real(
        "mr_16f_mono_explicit.dcm",
        "NOT_ULTRASOUND",
        "MONOCHROME2",
        (16, 256, 256),
        8,
        {(125, 133): 172, (97, 125): 208, (108, 89): 112, (148, 97): 100},
    ),
    Real("mr_truncated.dcm", "NOT_ULTRASOUND"),
    Real("negative_sr.dcm", "STRUCTURED_REPORT"),
    Real(
        "ot_deflated_512.dcm",
        "NOT_A_CINE",
        "MONOCHROME2",
        (1, 512, 512),
        0,
        {(141, 59): 255, (147, 15): 255, (453, 306): 65, (177, 432): 164},
    ),
    Real(
        "philips_mono_jpeglossless.dcm",
        "NOT_A_CINE",
        "MONOCHROME2",
        (1, 768, 1024),
        0,
        {(728, 232): 182, (26, 96): 255, (242, 589): 55, (605, 643): 146},
    ),
    Real(
        "philips_mono_jpegls.dcm",
        "NOT_A_CINE",
        "MONOCHROME2",
        (1, 768, 1024),
        0,
        {(753, 403): 254, (203, 690): 126, (207, 572): 61, (343, 591): 36},
    ),
    Real(
        "philips_palette_2f_explicit.dcm",
        "ok",
        "PALETTE COLOR",
        (2, 600, 800, 3),
        1,
        {(171, 585): (150, 96, 57), (461, 403): (150, 96, 57), (387, 639): (150, 96, 57), (364, 281): (150, 96, 57)},
    ),
    Real(
        "philips_palette_2f_rle.dcm",
        "ok",
        "PALETTE COLOR",
        (2, 600, 800, 3),
        1,
        {(258, 504): (150, 96, 57), (339, 700): (150, 96, 57), (215, 282): (150, 96, 57), (419, 551): (150, 96, 57)},
    ),
    Real(
        "philips_palette_350x800.dcm",
        "NOT_A_CINE",
        "PALETTE COLOR",
        (1, 350, 800, 3),
        0,
        {(28, 67): (94, 62, 37), (1, 600): (94, 62, 37), (19, 74): (94, 62, 37), (54, 369): (94, 62, 37)},
    ),
    Real(
        "sc_htj2k_rgb.dcm",
        "NOT_A_CINE",
        "RGB",
        (1, 480, 640, 3),
        0,
        {(160, 295): (1, 38, 90), (275, 635): (172, 193, 208)},
    ),
    Real(
        "sc_jpeg_3x3_odd.dcm",
        "NOT_A_CINE",
        "YBR_FULL",
        (1, 3, 3, 3),
        0,
        {(1, 1): (179, 87, 62), (0, 2): (49, 142, 165), (0, 0): (49, 142, 165)},
    ),
    Real(
        "sc_jpeg_rgb_no_transform.dcm",
        "NOT_A_CINE",
        "RGB",
        (1, 256, 256, 3),
        0,
        {
            (194, 88): (243, 244, 244),
            (203, 58): (243, 244, 244),
            (153, 4): (173, 162, 174),
            (225, 254): (195, 191, 199),
        },
    ),
    Real(
        "sc_jpegls_rgb_ilv1.dcm",
        "NOT_A_CINE",
        "RGB",
        (1, 256, 256, 3),
        0,
        {(246, 239): (165, 236, 7), (153, 249): (15, 55, 251), (177, 7): (183, 49, 196), (181, 107): (154, 77, 133)},
    ),
    Real(
        "sc_ybr_full_422_uncompressed.dcm",
        "NOT_A_CINE",
        "YBR_FULL_422",
        (1, 100, 100, 3),
        0,
        {(21, 99): (0, 255, 0), (23, 19): (0, 255, 0), (59, 49): (253, 123, 131), (79, 67): (64, 63, 64)},
    ),
    Real(
        "sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm",
        "ok",
        "YBR_FULL_422",
        (30, 240, 320, 3),
        15,
        {(232, 160): (61, 49, 43), (236, 76): (48, 38, 31), (185, 139): (50, 50, 50), (73, 156): (32, 32, 32)},
    ),
    Real(
        "xa_96f_jpegbaseline_mono.dcm",
        "NOT_ULTRASOUND",
        "MONOCHROME2",
        (96, 512, 512),
        48,
        {(92, 55): 237, (279, 55): 236, (384, 128): 138, (297, 398): 38},
    ),
]


@pytest.mark.parametrize("real", FILES, ids=lambda real: real.name)
def test_every_real_file_gives_clips_or_a_status(real: Real, shared: Callable[[str], bytes]) -> None:
    data = shared(real.name)
    if real.status == "ok":
        assert video_clips(data, ClipOptions(num_clips=2)).shape == (2, 16, 224, 224, 3)
    else:
        with pytest.raises(VideoError) as refused:
            video_clips(data, ClipOptions(num_clips=2))
        assert refused.value.code == real.status


@pytest.mark.parametrize("real", [real for real in FILES if real.pixels], ids=lambda real: real.name)
def test_pixels_are_those_of_another_decoder(real: Real, shared: Callable[[str], bytes]) -> None:
    data = as_ultrasound(shared(real.name))
    (frame,) = frames_of(data, [real.frame])
    assert (count_of(data), *frame.shape) == real.shape
    assert header_of(data).photometric == real.photometric
    for place, value in real.pixels.items():
        np.testing.assert_allclose(frame[place].astype(int), value, atol=ROUNDING, err_msg=str(place))


def test_jpeg_xl_gives_what_the_jpeg_gives_from_which_it_was_made(shared: Callable[[str], bytes]) -> None:
    """libjxl rebuilds the JPEG's coefficients; inverse DCT and chroma upsampling are its own: mean 0.15, at most 9."""
    names = [f"ge_vivid_e95_colordoppler_27f_{name}.dcm" for name in ("jpegxl_recompressed", "jpegbaseline_DERIVED")]
    recompressed, original = (np.array(frames_of(shared(name), [0, 26])).astype(int) for name in names)
    difference = np.abs(recompressed - original)
    assert difference.max() <= 12
    assert difference.mean() < 0.3


def test_no_file_is_left_out(shared: Callable[[str], bytes], shared_folder: Path) -> None:
    shared(FILES[0].name)
    files = {path.name for path in shared_folder.iterdir() if path.suffix in (".dcm", ".mpeg")}
    assert files == {real.name for real in FILES}
