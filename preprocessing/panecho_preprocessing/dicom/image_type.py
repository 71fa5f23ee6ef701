"""Recognises ultrasound that is not transthoracic 2D echo by what the header says of its probe and its kind of image.

Sources: ImageType values 3 and 4 (DICOM PS3.3 C.8.5.6.1.1), TransducerType (C.8.5.6), and words in the descriptions of
scanners and worklists. Values that scanners also write on transthoracic cines, such as EPICARDIAL, are accepted.
"""

import re
from collections.abc import Sequence
from typing import Final

from pydicom import Dataset

from panecho_preprocessing.dicom.elements import text, texts
from panecho_preprocessing.dicom.regions import M_MODE, SPECTRAL, TWO_DIMENSIONAL, Region, area
from panecho_preprocessing.errors import VideoError, VideoErrorCode

_TRANSOESOPHAGEAL: Final = "transoesophageal"
_INTRACARDIAC: Final = "intracardiac"
_INTRAVASCULAR: Final = "intravascular"
_ENDOCAVITARY: Final = "endocavitary"

# ImageType value 3, without spaces, hyphens and underscores.
_EXAMINATIONS: Final = {
    "TEE": _TRANSOESOPHAGEAL,
    "TOE": _TRANSOESOPHAGEAL,
    "TRANSESOPHAGEAL": _TRANSOESOPHAGEAL,
    "TRANSOESOPHAGEAL": _TRANSOESOPHAGEAL,
    "ICE": _INTRACARDIAC,
    "INTRACARDIAC": _INTRACARDIAC,
    "IVUS": _INTRAVASCULAR,
    "INTRAVASCULAR": _INTRAVASCULAR,
    "ENDOCAVITARY": _ENDOCAVITARY,
    "ENDORECTAL": _ENDOCAVITARY,
    "ENDOVAGINAL": _ENDOCAVITARY,
}
# How the defined terms of TransducerType start: probes on a catheter, and those inside the body.
_TRANSDUCERS: Final = {"IV_": _INTRAVASCULAR, "IV ": _INTRAVASCULAR, "ENDOCAV": _ENDOCAVITARY}

_DESCRIPTIONS: Final = (
    *("SeriesDescription", "ProtocolName", "StudyDescription", "PerformedProcedureStepDescription"),
    *("RequestedProcedureDescription", "ProcessingFunction", "TransducerData"),
)
DESCRIPTION_KEYWORDS: Final = (*_DESCRIPTIONS, "ImageType", "TransducerType")
_WORDS: Final = {
    _TRANSOESOPHAGEAL: re.compile(r"(?<![a-z])(tee|toe)(?![a-z])|trans-?\s?o?esophag", re.IGNORECASE),
    _INTRACARDIAC: re.compile(r"(?<![a-z])ice(?![a-z])|intra-?cardiac\s+(echo|ultraso)", re.IGNORECASE),
    _INTRAVASCULAR: re.compile(r"(?<![a-z])ivus(?![a-z])|intra-?vascular\s+(echo|ultraso)", re.IGNORECASE),
}
_TRANSTHORACIC: Final = re.compile(r"(?<![a-z])tte(?![a-z])|trans-?\s?thora", re.IGNORECASE)

# ImageType value 4 is the sum of these, in hexadecimal.
_TWO_D, _M_MODES, _TRACES, _COLOUR, _RENDERING, _IN_SPACE = 0x0001, 0x0022, 0x000C, 0x0110, 0x0040, 0x0400


def require_transthoracic(dataset: Dataset) -> None:
    """Refuse what the header calls transoesophageal, intracardiac, intravascular or endocavitary.

    Raises:
        VideoError: NOT_TRANSTHORACIC.
    """
    kind = _by_examination(dataset) or _by_transducer(dataset) or _by_words(dataset)
    if kind:
        raise VideoError(
            VideoErrorCode.NOT_TRANSTHORACIC,
            f"the header calls it {kind}; the model reads transthoracic echo, correct the header if it is",
        )


def require_two_dimensional(dataset: Dataset, regions: Sequence[Region]) -> None:
    """Refuse renderings and slices of volumes, and traces over time that are larger than any 2D image.

    Regions show what is on the screen; where the header has none, ImageType says what was acquired.

    Raises:
        VideoError: VOLUME, SPECTRAL_DOPPLER or M_MODE.
    """
    modes = _modes(dataset)
    if modes & _RENDERING:
        raise VideoError(VideoErrorCode.VOLUME, "a rendering of a 3D volume; the model reads 2D cines")
    if modes & _IN_SPACE:
        raise VideoError(VideoErrorCode.VOLUME, "slices in space, not moments in time; the model reads 2D cines")
    image, spectral, m_mode = (area(regions, kind) for kind in (TWO_DIMENSIONAL, SPECTRAL, M_MODE))
    without_image = not regions and modes != 0 and not modes & (_TWO_D | _COLOUR)
    if spectral > image or (without_image and modes & _TRACES):
        raise VideoError(VideoErrorCode.SPECTRAL_DOPPLER, "a spectral Doppler trace; the model reads 2D cines")
    if m_mode > image or (without_image and modes & _M_MODES):
        raise VideoError(VideoErrorCode.M_MODE, "an M-mode trace; the model reads 2D cines")


def _by_examination(dataset: Dataset) -> str:
    values = texts(dataset, "ImageType")[2:]
    return next(filter(None, (_EXAMINATIONS.get(re.sub(r"[\s_-]", "", value.upper()), "") for value in values)), "")


def _by_transducer(dataset: Dataset) -> str:
    transducer = text(dataset, "TransducerType").upper()
    return next((kind for start, kind in _TRANSDUCERS.items() if transducer.startswith(start)), "")


def _by_words(dataset: Dataset) -> str:
    """Search the descriptions, the series' before the study's; the first that names a kind of echo decides."""
    for keyword in _DESCRIPTIONS:
        words = " ".join(texts(dataset, keyword)).replace("_", " ")
        if _TRANSTHORACIC.search(words):
            return ""
        for kind, pattern in _WORDS.items():
            if pattern.search(words):
                return kind
    return ""


def _modes(dataset: Dataset) -> int:
    values = texts(dataset, "ImageType")
    is_sum = len(values) > 3 and re.fullmatch(r"[0-9A-Fa-f]{4}", values[3])
    return int(values[3], 16) if is_sum else 0
