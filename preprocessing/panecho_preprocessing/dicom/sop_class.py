"""Recognises DICOM objects that are not echo cines (PS3.4 annex B, PS3.3 C.8.5.5).

A study holds more than cines: stills, spectral Doppler, M-mode, reports, waveforms, volumes, other modalities. Each is
recognised by its header, before a pixel is decoded, and gets a separate status.
"""

import re
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import (
    UID,
    EnhancedUSVolumeStorage,
    MediaStorageDirectoryStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from panecho_preprocessing.dicom.elements import text
from panecho_preprocessing.dicom.image_type import require_two_dimensional
from panecho_preprocessing.dicom.regions import Region
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_ULTRASOUND = {
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    f"{_STORAGE}3",  # retired predecessors of the two
    f"{_STORAGE}6",
}
# The standard's, Philips' Live 3D and GE's 3D models.
_VOLUMES = {
    EnhancedUSVolumeStorage,
    "1.2.840.113543.6.6.1.3.10001",
    "1.2.840.113543.6.6.1.3.10002",
    "1.2.840.113619.4.26",
}
# Philips' private number of slices in each volume.
VOLUME_SLICES = 0x30011001
_SECONDARY_CAPTURE = f"{_STORAGE}7"
# Ultrasound, and its retired terms: echocardiography, colour flow and duplex Doppler (PS3.3 C.7.3.1.1.1).
_OF_ULTRASOUND = {"US", "EC", "CD", "DD"}
# Modalities under which screen captures of an ultrasound scanner are stored; others name another scanner.
_OF_A_CAPTURE = {"US", "OT", "SC", ""}
_WITHOUT_PIXELS = {
    f"{_STORAGE}88.": (VideoErrorCode.STRUCTURED_REPORT, "a structured report: it holds measurements, no images"),
    f"{_STORAGE}9.": (VideoErrorCode.WAVEFORM, "a waveform, such as an ECG: it holds no images"),
    f"{_STORAGE}11.": (VideoErrorCode.NO_PIXEL_DATA, "a presentation state: it refers to images and holds none"),
    f"{_STORAGE}104.": (VideoErrorCode.NO_PIXEL_DATA, "an encapsulated document: it holds no images"),
}


def _require_pixels(sop_class: str) -> None:
    if sop_class == MediaStorageDirectoryStorage:
        raise VideoError(VideoErrorCode.DICOMDIR, "a DICOMDIR: it lists a medium's files; send the files themselves")
    for start, (code, reason) in _WITHOUT_PIXELS.items():
        if f"{sop_class}.".startswith(start):
            raise VideoError(code, reason)


def require_echo(dataset: Dataset, regions: Sequence[Region]) -> None:
    """Refuse every object but a 2D ultrasound image; the number of frames is not checked.

    Args:
        dataset: the header.
        regions: the header's ultrasound regions.

    Raises:
        VideoError: STRUCTURED_REPORT, WAVEFORM, NO_PIXEL_DATA, DICOMDIR, VOLUME, NOT_ULTRASOUND,
            NOT_TRANSTHORACIC, SPECTRAL_DOPPLER or M_MODE.
    """
    sop_class = _sop_class(dataset)
    modality = text(dataset, "Modality")
    _require_pixels(sop_class)
    if sop_class in _VOLUMES or VOLUME_SLICES in dataset:
        raise VideoError(VideoErrorCode.VOLUME, "a 3D volume; the model reads 2D cines")
    if modality == "IVUS":
        reason = "intravascular ultrasound, modality IVUS; the model reads transthoracic echo"
        raise VideoError(VideoErrorCode.NOT_TRANSTHORACIC, reason)
    if not _is_ultrasound(sop_class, modality):
        raise VideoError(VideoErrorCode.NOT_ULTRASOUND, f"{_named(sop_class, modality)}, not ultrasound")
    require_two_dimensional(dataset, regions)


def is_private(dataset: Dataset) -> bool:
    """Whether the object is of a manufacturer's own SOP class."""
    sop_class = _sop_class(dataset)
    return bool(sop_class) and not sop_class.startswith("1.2.840.10008.")


def _sop_class(dataset: Dataset) -> str:
    return text(dataset, "SOPClassUID") or text(getattr(dataset, "file_meta", Dataset()), "MediaStorageSOPClassUID")


def _is_ultrasound(sop_class: str, modality: str) -> bool:
    if sop_class in _ULTRASOUND or modality in _OF_ULTRASOUND:
        return True
    is_capture = sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}.")
    return (is_capture or not sop_class) and modality in _OF_A_CAPTURE


def _named(sop_class: str, modality: str) -> str:
    """Name the object in the standard's words; no other part of the header is repeated."""
    name = UID(sop_class).name if re.fullmatch(r"[0-9.]{1,64}", sop_class) else ""
    kind = name if name and name != sop_class else "an unknown SOP class"
    return f"{kind}, modality {modality}" if re.fullmatch(r"[A-Z]{2,6}", modality) else kind
