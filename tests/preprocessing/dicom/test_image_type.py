"""Ultrasound that is not transthoracic 2D echo, by what its header says; what scanners write on echo cines is read."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID

from panecho_preprocessing import ClipOptions, VideoError, video_clips
from support.reading import cine_of, count_of

PHILIPS_3D = "1.2.840.113543.6.6.1.3.10002"


@pytest.fixture
def cine_with(dicom: Callable[..., bytes], grey: NDArray[np.uint8]) -> Callable[..., bytes]:
    return lambda **elements: dicom(grey[:4], Modality=elements.pop("Modality", "US"), **elements)


def kind(value: str, modes: str = "0001") -> dict[str, object]:
    return {"ImageType": ["ORIGINAL", "PRIMARY", value, modes]}


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (kind("TEE"), "transoesophageal"),
        (kind("TRANSESOPHAGEAL"), "transoesophageal"),
        (kind("INTRACARDIAC"), "intracardiac"),
        (kind("INTRAVASCULAR"), "intravascular"),
        (kind("ENDOCAVITARY"), "endocavitary"),
        (kind("ENDOVAGINAL"), "endocavitary"),
        ({"TransducerType": "IV_PHASED"}, "intravascular"),
        ({"TransducerType": "IV_ROT_XTAL"}, "intravascular"),
        ({"TransducerType": "ENDOCAV_PA"}, "endocavitary"),
        ({"SeriesDescription": "TEE 3D"}, "transoesophageal"),
        ({"SeriesDescription": "Transesophageal Echocardiogram"}, "transoesophageal"),
        ({"StudyDescription": "ECHO TRANSOESOPHAGEAL"}, "transoesophageal"),
        ({"StudyDescription": "Trans-esophageal echo"}, "transoesophageal"),
        ({"ProtocolName": "ADULT_TEE"}, "transoesophageal"),
        ({"ProtocolName": "ICE"}, "intracardiac"),
        ({"StudyDescription": "Intracardiac echocardiography"}, "intracardiac"),
        ({"SeriesDescription": "IVUS LAD"}, "intravascular"),
        ({"TransducerData": ["TEE", "6VT-D", ""]}, "transoesophageal"),
        ({"Modality": "IVUS"}, "intravascular"),
    ],
    ids=str,
)
def test_other_ways_to_the_heart_are_refused_and_named(
    elements: dict[str, object], words: str, cine_with: Callable[..., bytes]
) -> None:
    with pytest.raises(VideoError, match=f"^NOT_TRANSTHORACIC: .*{words}.*the model reads transthoracic echo"):
        video_clips(cine_with(**elements), ClipOptions())


@pytest.mark.parametrize(
    "elements",
    [
        *(kind(value) for value in ("", "TTE", "CARDIOLOGY", "EPICARDIAL", "PEDIATRIC", "CHEST", "INTRAOPERATIVE")),
        {"TransducerType": "SECTOR_PHASED"},
        {"TransducerType": "VECTOR_PHASED"},
        {"StudyDescription": "TTE and TEE"},
        {"SeriesDescription": "TTE", "StudyDescription": "TEE"},
        {"StudyDescription": "Echo for intracardiac thrombus"},
        {"StudyDescription": "intravascular volume"},
        {"StudyDescription": "STEELE practice, OFFICE visit"},
    ],
    ids=str,
)
def test_transthoracic_cines_are_read(elements: dict[str, object], cine_with: Callable[..., bytes]) -> None:
    assert video_clips(cine_with(**elements), ClipOptions(num_clips=1)).any()


def test_descriptions_are_not_repeated(cine_with: Callable[..., bytes]) -> None:
    with pytest.raises(VideoError) as refused:
        video_clips(cine_with(SeriesDescription="TEE of DOE JOHN"), ClipOptions())
    assert "DOE" not in str(refused.value)


@pytest.mark.parametrize(
    ("modes", "status"),
    [
        ("0040", "VOLUME: a rendering"),
        ("0041", "VOLUME: a rendering"),
        ("0400", "VOLUME: slices in space"),
        ("0401", "VOLUME: slices in space"),
        ("0002", "M_MODE"),
        ("0020", "M_MODE"),
        ("0004", "SPECTRAL_DOPPLER"),
        ("0008", "SPECTRAL_DOPPLER"),
    ],
)
def test_images_that_are_no_2d_cine(modes: str, status: str, cine_with: Callable[..., bytes]) -> None:
    with pytest.raises(VideoError, match=f"^{status}"):
        video_clips(cine_with(**kind("TTE", modes)), ClipOptions())


@pytest.mark.parametrize("modes", ["0001", "0011", "0010", "0100", "0009", "0003", "0000", "SINGLE A"])
def test_2d_and_colour_are_read(modes: str, cine_with: Callable[..., bytes]) -> None:
    assert count_of(cine_with(**kind("TTE", modes))) == 4


def test_a_region_that_shows_an_image_wins_over_the_modes(cine_with: Callable[..., bytes]) -> None:
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 319, 239
    assert count_of(cine_with(**kind("TTE", "0008"), SequenceOfUltrasoundRegions=[region])) == 4


def test_the_reported_volume(field: Callable[[str], bytes]) -> None:
    with pytest.raises(VideoError, match=r"^VOLUME: a 3D volume"):
        video_clips(field("philips_3d_cartesian.dcm"), ClipOptions())


@pytest.mark.parametrize("sop_class", [PHILIPS_3D, "1.2.840.113543.6.6.1.3.10001", "1.2.840.113619.4.26"])
@pytest.mark.parametrize("declared", [None, 1, 2, 30])
def test_private_volumes(
    sop_class: str,
    declared: int | None,
    data_set: Callable[..., Dataset],
    saved: Callable[[Dataset], bytes],
    grey: NDArray[np.uint8],
) -> None:
    file = data_set(grey, Modality="US", NumberOfFrames=declared)
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    with pytest.raises(VideoError, match=r"^VOLUME: "):
        cine_of(saved(file))


def test_philips_number_of_slices_is_a_volume_under_any_class(
    data_set: Callable[..., Dataset], saved: Callable[[Dataset], bytes], grey: NDArray[np.uint8]
) -> None:
    file = data_set(grey, Modality="US")
    file.add_new(0x30010010, "LO", "Philips US Imaging")
    file.add_new(0x30011001, "US", 5)
    with pytest.raises(VideoError, match=r"^VOLUME: "):
        cine_of(saved(file))


@pytest.mark.parametrize(("declared", "is_read"), [(30, True), (29, False), (10, False), (1, False), (None, False)])
def test_an_unknown_private_class_is_read_only_if_its_frames_are_those_declared(
    declared: int | None,
    is_read: bool,  # noqa: FBT001 - a parameter of the test
    data_set: Callable[..., Dataset],
    saved: Callable[[Dataset], bytes],
    grey: NDArray[np.uint8],
) -> None:
    file = data_set(grey, Modality="US", NumberOfFrames=declared)
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = UID("1.2.3.4.5")
    if is_read:
        assert count_of(saved(file)) == 30
    else:
        with pytest.raises(VideoError, match=r"^SIZE_MISMATCH: "):
            cine_of(saved(file))
