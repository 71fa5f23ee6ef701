import io
import warnings
from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmread
from pydicom.config import disable_value_validation

from panecho_preprocessing.dicom.regions import MAX_REGIONS, Region, read_regions, tissue_box
from panecho_preprocessing.frames import Box

KEYWORDS = (
    "RegionLocationMinX0",
    "RegionLocationMinY0",
    "RegionLocationMaxX1",
    "RegionLocationMaxY1",
    "RegionSpatialFormat",
    "RegionDataType",
)

ACUSON_SCREEN = Region(0, 32, 576, 432, 0, 0)
ACUSON = Region(27, 48, 549, 392, 1, 1)
GE = Region(149, 70, 868, 659, 1, 2)
PHILIPS = Region(120, 60, 801, 519, 1, 1)
PHILIPS_ECG = Region(176, 522, 744, 577, 4, 10)
SONOSITE = Region(84, 31, 596, 415, 1, 1)


def item(*values: object) -> Dataset:
    made = Dataset()
    with disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in zip(KEYWORDS, values, strict=False):
            setattr(made, keyword, value)
    return made


def header(*items: Dataset) -> Dataset:
    made = Dataset()
    made.SequenceOfUltrasoundRegions = list(items)
    return made


@pytest.mark.parametrize(
    ("name", "regions"),
    [
        ("acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm", (ACUSON_SCREEN, ACUSON)),
        ("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm", (GE,)),
        ("philips_palette_2f_rle.dcm", (PHILIPS, PHILIPS_ECG)),
        ("sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm", (SONOSITE,)),
        ("ge_rgb_240x320.dcm", ()),
    ],
)
def test_reads_what_real_scanners_write(
    name: str, regions: tuple[Region, ...], shared: Callable[[str], bytes], sonosite: bytes
) -> None:
    data = sonosite if name.startswith("sonosite") else shared(name)
    assert read_regions(dcmread(io.BytesIO(data), stop_before_pixels=True)) == regions


@pytest.mark.parametrize(
    "bad",
    [
        item(),
        item(1, 2, 3, 4),
        item(50, 0, 40, 100, 1, 1),
        item(0, 50, 100, 40, 1, 1),
        item("left", 0, 100, 100, 1, 1),
        item([1, 2], 0, 100, 100, 1, 1),
        item(None, 0, 100, 100, 1, 1),
        item(0, 0, 100, 100, None, 1),
        item(-5, 0, 100, 100, 1, 1),
    ],
)
def test_leaves_out_items_that_make_no_sense(bad: Dataset) -> None:
    assert read_regions(header(bad, item(1, 2, 3, 4, 1, 2), bad)) == (Region(1, 2, 4, 5, 1, 2),)


@pytest.mark.parametrize(("vr", "value"), [("SQ", []), ("SQ", None), ("LO", "no sequence"), ("US", 7)])
def test_what_is_no_sequence_holds_no_regions(vr: str, value: object) -> None:
    dataset = Dataset()
    dataset.add_new(0x00186011, vr, value)
    assert read_regions(dataset) == ()


def test_a_header_without_the_sequence_has_no_regions() -> None:
    assert read_regions(Dataset()) == ()


def test_looks_at_so_many_items_only() -> None:
    assert len(read_regions(header(*[item(1, 2, 3, 4, 1, 1)] * (MAX_REGIONS + 9)))) == MAX_REGIONS


@pytest.mark.parametrize(
    ("regions", "rows", "columns", "box"),
    [
        pytest.param((ACUSON_SCREEN, ACUSON), 456, 576, Box(48, 392, 27, 549), id="the whole screen is no tissue"),
        pytest.param((GE,), 708, 1016, Box(70, 659, 149, 868), id="colour flow"),
        pytest.param((SONOSITE,), 240, 320, Box(15, 208, 42, 298), id="coordinates of twice the size"),
        pytest.param((PHILIPS, PHILIPS_ECG), 600, 800, Box(60, 519, 120, 800), id="last column outside by one"),
        pytest.param((PHILIPS,), 350, 800, Box(60, 350, 120, 800), id="rows cut off"),
        pytest.param(
            (Region(10, 100, 400, 500, 1, 1), Region(420, 90, 800, 480, 1, 2)),
            600,
            800,
            Box(90, 500, 10, 800),
            id="split screen",
        ),
        pytest.param((Region(0, 0, 1801, 1201, 1, 1),), 400, 600, Box(0, 400, 0, 600), id="three times, off by one"),
    ],
)
def test_box(regions: tuple[Region, ...], rows: int, columns: int, box: Box) -> None:
    assert tissue_box(regions, rows, columns) == box


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(PHILIPS_ECG, id="ECG"),
        pytest.param(Region(0, 0, 800, 600, 2, 1), id="M-mode"),
        pytest.param(Region(0, 0, 800, 600, 3, 3), id="spectral Doppler"),
        pytest.param(Region(0, 0, 800, 600, 1, 14), id="colour bar"),
        pytest.param(Region(100, 100, 200, 300, 1, 1), id="4 % of the image"),
        pytest.param(Region(900, 100, 1500, 500, 1, 1), id="beside the image"),
        pytest.param(Region(0, 0, 2**32, 2**32, 1, 1), id="absurd"),
    ],
)
def test_no_box(region: Region) -> None:
    assert tissue_box((region,), 600, 800) is None


def test_no_regions_no_box() -> None:
    assert tissue_box((), 600, 800) is None
