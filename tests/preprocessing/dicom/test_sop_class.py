"""What a study holds beside 2D cines: each object's status, from its header alone."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, Sequence
from pydicom.uid import UID

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import cine_of

Make = Callable[..., bytes]


@pytest.fixture
def object_of(data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]) -> Make:
    """An uncompressed cine of a given SOP class, modality and regions."""

    def make(sop_class: str, modality: str | None = None, regions: list[Dataset] | None = None) -> bytes:
        file = data_set(grey, Modality=modality)
        file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = UID(sop_class)
        if regions is not None:
            file.SequenceOfUltrasoundRegions = Sequence(regions)
        return saved(file)

    return make


def region(spatial_format: int, height: int, top: int = 0) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = spatial_format, 1 if spatial_format == 1 else 3
    item.RegionLocationMinX0, item.RegionLocationMaxX1 = 0, 319
    item.RegionLocationMinY0, item.RegionLocationMaxY1 = top, top + height - 1
    return item


US_CINE = "1.2.840.10008.5.1.4.1.1.3.1"


@pytest.mark.parametrize(
    ("sop_class", "modality", "status"),
    [
        ("1.2.840.10008.1.3.10", None, "DICOMDIR: a DICOMDIR: it lists a medium's files; send the files themselves"),
        ("1.2.840.10008.5.1.4.1.1.88.33", "SR", "STRUCTURED_REPORT: a structured report: it holds measurements"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", "WAVEFORM: a waveform, such as an ECG: it holds no images"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PR", "NO_PIXEL_DATA: a presentation state"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "DOC", "NO_PIXEL_DATA: an encapsulated document"),
        ("1.2.840.10008.5.1.4.1.1.6.2", "US", "VOLUME: a 3D volume; the model reads 2D cines"),
        ("1.2.840.10008.5.1.4.1.1.12.1", "XA", "NOT_ULTRASOUND: X-Ray Angiographic Image Storage, modality XA, not"),
        ("1.2.840.10008.5.1.4.1.1.4", None, "NOT_ULTRASOUND: MR Image Storage, not ultrasound"),
        ("1.2.840.10008.5.1.4.1.1.7.4", "XA", "NOT_ULTRASOUND: Multi-frame True Color Secondary Capture"),
        ("1.2.3.4.5", "ES", "NOT_ULTRASOUND: an unknown SOP class, modality ES, not ultrasound"),
    ],
)
def test_other_objects_are_named(sop_class: str, modality: str | None, status: str, object_of: Make) -> None:
    with pytest.raises(VideoError) as refused:
        video_clips(object_of(sop_class, modality), ClipOptions())
    assert str(refused.value).startswith(status)


@pytest.mark.parametrize(
    ("sop_class", "modality"),
    [
        (US_CINE, "US"),
        (US_CINE, None),
        ("1.2.840.10008.5.1.4.1.1.3", "US"),
        ("1.2.840.10008.5.1.4.1.1.6", "US"),
        ("1.2.840.10008.5.1.4.1.1.6.1", "US"),  # an image class with several frames: seen on real scanners
        ("1.2.840.10008.5.1.4.1.1.7.4", "US"),
        ("1.2.840.10008.5.1.4.1.1.7.2", "OT"),
        ("1.2.3.4.5", "US"),
    ],
)
def test_ultrasound_and_its_screen_captures_are_read(sop_class: str, modality: str | None, object_of: Make) -> None:
    assert cine_of(object_of(sop_class, modality)).reader.count == 30


def test_a_modality_that_is_no_code_is_not_repeated(object_of: Make) -> None:
    with pytest.raises(VideoError) as refused:
        video_clips(object_of("1.2.840.10008.5.1.4.1.1.4", "DOE JOHN"), ClipOptions())
    assert "DOE" not in str(refused.value)


@pytest.mark.parametrize(
    ("regions", "status"),
    [
        ([region(3, 240)], "SPECTRAL_DOPPLER"),
        ([region(2, 240)], "M_MODE"),
        ([region(1, 80), region(3, 160, top=80)], "SPECTRAL_DOPPLER"),
        ([region(1, 80), region(2, 160, top=80)], "M_MODE"),
    ],
)
def test_traces_are_told_from_images_by_their_regions(regions: list[Dataset], status: str, object_of: Make) -> None:
    with pytest.raises(VideoError) as refused:
        video_clips(object_of(US_CINE, "US", regions), ClipOptions())
    assert refused.value.code == status


@pytest.mark.parametrize(
    "regions",
    [[], [region(1, 240)], [region(1, 160), region(3, 80, top=160)], [region(1, 200), region(4, 40, top=200)]],
)
def test_an_image_with_a_trace_below_it_is_read(regions: list[Dataset], object_of: Make) -> None:
    assert cine_of(object_of(US_CINE, "US", regions)).reader.count == 30
