"""Reference ranges of adults, each from a published guideline that is named with it.

A task has a range only where a guideline gives one for just that measurement. For the others ``why_no_range`` says
what is missing. Values per body surface (``INDEXED``) are compared where height and weight are known. A site can give
its own ranges (``load_ranges``).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from panecho_client._exceptions import RequestError
from panecho_client._files.whole_files import accessing

__all__ = [
    "ADULT",
    "GUIDELINES",
    "INDEXED",
    "Grade",
    "RangeSource",
    "RangeTable",
    "ReferenceRange",
    "Sex",
    "load_ranges",
    "reference_ranges",
    "why_no_range",
]

ADULT = 18  # years

Sex = Literal["F", "M"]


@dataclass(frozen=True, kw_only=True)
class RangeSource:
    """A published guideline.

    Attributes:
        citation: Authors, title, journal, year, volume and pages.
        doi: Digital object identifier; empty for a site's own ranges.
        verified: Whether its numbers were read again in the guideline itself for this version.
    """

    citation: str
    doi: str
    verified: bool = False


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A step outside the normal range, such as ``mildly reduced``, with the limits that the guideline gives.

    Attributes:
        word: ``borderline``, or ``mildly``, ``moderately`` or ``severely`` and what is wrong.
        low: Lowest value of the step, as rounded for the report; None where there is none.
        high: Highest value.
    """

    word: str
    low: float | None
    high: float | None

    def contains(self, value: float) -> bool:
        """Tell whether a value is in the step."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, kw_only=True)
class ReferenceRange:
    """What a guideline calls normal in adults.

    Example:
        >>> for normal in reference_ranges("EF"):
        ...     print(normal.sex, normal.text, normal.contains(53))
        F 54 to 74 False
        M 52 to 72 True

    Attributes:
        low: Lowest normal value in the task's unit; None where only a high value is abnormal.
        high: Highest normal value; None where only a low value is abnormal.
        sex: ``F`` or ``M``; None where the guideline makes no difference.
        note: What to know about the measurement that the guideline means.
        source: The guideline.
        grades: Steps outside the range, where the guideline has them.
    """

    low: float | None
    high: float | None
    sex: Sex | None
    note: str
    source: RangeSource
    grades: tuple[Grade, ...] = ()

    @property
    def text(self) -> str:
        """The range as text, without unit: ``52 to 72``, ``≤ 14`` or ``≥ 1.7``."""
        if self.low is None:
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"

    def contains(self, value: float) -> bool:
        """Tell whether a value is normal; NaN is not."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def grade(self, value: float) -> Grade | None:
        """Return the step that a value is in; None within the range, and where the guideline has no step for it."""
        return next((grade for grade in self.grades if not self.contains(value) and grade.contains(value)), None)


CHAMBERS_2015 = RangeSource(
    citation=(
        "Lang RM, Badano LP, Mor-Avi V, et al. Recommendations for cardiac chamber quantification by echocardiography "
        "in adults: an update from the American Society of Echocardiography and the European Association of "
        "Cardiovascular Imaging. J Am Soc Echocardiogr 2015;28:1-39."
    ),
    doi="10.1016/j.echo.2014.10.003",
)
DIASTOLE_2025 = RangeSource(
    citation=(
        "Nagueh SF, Sanborn DY, Oh JK, et al. Recommendations for the evaluation of left ventricular diastolic "
        "function by echocardiography and for heart failure with preserved ejection fraction diagnosis: an update "
        "from the American Society of Echocardiography. J Am Soc Echocardiogr 2025;38:537-569."
    ),
    doi="10.1016/j.echo.2025.03.011",
)
RIGHT_HEART_2025 = RangeSource(
    citation=(
        "Mukherjee M, Rudski LG, Addetia K, et al. Guidelines for the echocardiographic assessment of the right "
        "heart in adults and special considerations in pulmonary hypertension: recommendations from the American "
        "Society of Echocardiography. J Am Soc Echocardiogr 2025;38:141-186."
    ),
    doi="10.1016/j.echo.2025.01.006",
)
RIGHT_HEART_2010 = RangeSource(
    citation=(
        "Rudski LG, Lai WW, Afilalo J, et al. Guidelines for the echocardiographic assessment of the right heart in "
        "adults: a report from the American Society of Echocardiography. J Am Soc Echocardiogr 2010;23:685-713."
    ),
    doi="10.1016/j.echo.2010.05.010",
)
STENOSIS_2017 = RangeSource(
    citation=(
        "Baumgartner H, Hung J, Bermejo J, et al. Recommendations on the echocardiographic assessment of aortic valve "
        "stenosis: a focused update from the European Association of Cardiovascular Imaging and the American Society "
        "of Echocardiography. J Am Soc Echocardiogr 2017;30:372-392."
    ),
    doi="10.1016/j.echo.2017.02.009",
)

BIPLANE = "biplane method of disks"
LINEAR = "linear, parasternal long-axis view"

REDUCED_EF = (
    Grade(word="moderately reduced", low=30, high=40),
    Grade(word="severely reduced", low=None, high=29),
)


def _by_sex(
    women: tuple[float, float],
    men: tuple[float, float],
    note: str,
    source: RangeSource,
    grades: Mapping[Sex, tuple[Grade, ...]] | None = None,
) -> list[ReferenceRange]:
    both: tuple[tuple[Sex, tuple[float, float]], ...] = (("F", women), ("M", men))
    return [
        ReferenceRange(low=low, high=high, sex=sex, note=note, source=source, grades=(grades or {}).get(sex, ()))
        for sex, (low, high) in both
    ]


def _limit(
    *,
    low: float | None = None,
    high: float | None = None,
    note: str,
    source: RangeSource,
    grades: tuple[Grade, ...] = (),
) -> list[ReferenceRange]:
    return [ReferenceRange(low=low, high=high, sex=None, note=note, source=source, grades=grades)]


RangeTable = Mapping[str, list[ReferenceRange]]
"""Ranges by task, or by the name of an indexed value."""

GUIDELINES: RangeTable = {
    "EF": _by_sex(
        (54, 74),
        (52, 72),
        BIPLANE,
        CHAMBERS_2015,
        {
            "F": (Grade(word="mildly reduced", low=41, high=53), *REDUCED_EF),
            "M": (Grade(word="mildly reduced", low=41, high=51), *REDUCED_EF),
        },
    ),
    "LVEDV": _by_sex((46, 106), (62, 150), BIPLANE, CHAMBERS_2015),
    "LVESV": _by_sex((14, 42), (21, 61), BIPLANE, CHAMBERS_2015),
    "LVIDd": _by_sex((3.8, 5.2), (4.2, 5.8), LINEAR, CHAMBERS_2015),
    "LVIDs": _by_sex((2.2, 3.5), (2.5, 4.0), LINEAR, CHAMBERS_2015),
    "IVSd": _by_sex((0.6, 0.9), (0.6, 1.0), LINEAR, CHAMBERS_2015),
    "LVPWd": _by_sex((0.6, 0.9), (0.6, 1.0), LINEAR, CHAMBERS_2015),
    "AORoot": _by_sex(
        (2.4, 3.6),
        (2.8, 4.0),
        "sinuses of Valsalva; mean ± 2 SD of the 3.0 ± 0.3 (women) and 3.4 ± 0.3 cm (men) that the guideline gives; "
        "it prefers limits by age and body surface",
        CHAMBERS_2015,
    ),
    "TAPSE": _limit(
        low=1.7,
        note="steps of the 2025 guideline, which counts 1.7 cm itself as mildly reduced",
        source=RIGHT_HEART_2025,
        grades=(
            Grade(word="mildly reduced", low=1.3, high=1.6),
            Grade(word="moderately reduced", low=1.0, high=1.2),
            Grade(word="severely reduced", low=None, high=0.9),
        ),
    ),
    "RVSVel": _limit(
        low=9.5,
        note="pulsed tissue Doppler",
        source=RIGHT_HEART_2025,
        grades=(
            Grade(word="mildly reduced", low=7.2, high=9.4),
            Grade(word="moderately reduced", low=5.0, high=7.1),
            Grade(word="severely reduced", low=None, high=4.9),
        ),
    ),
    "E|EAvg": _limit(
        high=8,
        note="average of septal and lateral e'; from 14 a sign of raised filling pressure, between 8 and 14 neither",
        source=DIASTOLE_2025,
        grades=(
            Grade(word="borderline", low=8.1, high=13.9),
            Grade(word="moderately increased", low=14, high=None),
        ),
    ),
    "RVSP": _limit(high=34, note="at rest; from 35 mmHg a sign of raised pressure", source=DIASTOLE_2025),
    "AVPkVel(m|s)": _limit(
        high=2.0,
        note="2.0 to 2.5 m/s: sclerosis or high flow; from 2.6 m/s stenosis, from 4.0 m/s severe",
        source=STENOSIS_2017,
        grades=(
            Grade(word="borderline", low=2.1, high=2.5),
            Grade(word="mildly increased", low=2.6, high=2.9),
            Grade(word="moderately increased", low=3.0, high=3.9),
            Grade(word="severely increased", low=4.0, high=None),
        ),
    ),
    "TVPkGrad": _limit(
        high=31, note="of the regurgitation; 31 mmHg are a jet of 2.8 m/s, by 4v²", source=RIGHT_HEART_2025
    ),
    "RADimensionM-L(cm)": _limit(
        high=4.4, note="minor axis, apical four-chamber view, end of systole", source=RIGHT_HEART_2010
    ),
    "LAVI": _limit(
        high=34,
        note="LA volume per body surface, biplane",
        source=CHAMBERS_2015,
        grades=(
            Grade(word="mildly increased", low=35, high=41),
            Grade(word="moderately increased", low=42, high=48),
            Grade(word="severely increased", low=49, high=None),
        ),
    ),
    "LVEDVi": _by_sex((29, 61), (34, 74), f"per body surface, {BIPLANE}", CHAMBERS_2015),
    "LVESVi": _by_sex((8, 24), (11, 31), f"per body surface, {BIPLANE}", CHAMBERS_2015),
}

INDEXED = {"LAVI": "LAVol", "LVEDVi": "LVEDV", "LVESVi": "LVESV"}
"""Values per body surface, and the task that each comes from."""

WHY_NO_RANGE = {
    "GLS": "Limits depend on the scanner's vendor and software; the 2015 guideline expects about -20 % in the healthy.",
    "LVSV": "No guideline named here gives a range in mL.",
    "LVOTDiam": "No guideline named here gives a range.",
    "RVIDd": "Ranges differ along the ventricle, and the model does not say where it measures.",
    "LAIDs2D": "The model does not say which diameter; guidelines since 2015 judge the volume per body surface.",
    "LAVol": "The 2015 guideline gives volumes per body surface: see LAVI where height and weight are known.",
}

OWN_COLUMNS = ("task", "sex", "low", "high", "note", "source")


def reference_ranges(
    task: str, *, sex: str | None = None, ranges: RangeTable = GUIDELINES
) -> tuple[ReferenceRange, ...]:
    """Return the ranges of a task: the one of ``sex`` where it is ``F`` or ``M``, else both; none where none is known.

    Args:
        task: PanEcho's name of the task, or a name of ``INDEXED``.
        sex: DICOM's Patient's Sex.
        ranges: From ``load_ranges``, where a site has its own.
    """
    found = ranges.get(task, [])
    matching = [normal for normal in found if normal.sex in (None, sex)]
    return tuple(matching or found)


def load_ranges(path: Path) -> RangeTable:
    """Read a site's own ranges: a CSV file with the columns task, sex (F, M or empty), low, high, note and source.

    A task in the file has the file's ranges alone; the others keep those of the guidelines. A range without limits
    removes the guideline's.

    Raises:
        FilesError: The file cannot be read.
        RequestError: It has other columns, or a row is wrong.
    """
    own: dict[str, list[ReferenceRange]] = {}
    with accessing(path, "read", "name another file"), path.open(encoding="utf-8-sig", newline="") as opened:
        rows = csv.DictReader(opened)
        if tuple(rows.fieldnames or ()) != OWN_COLUMNS:
            raise RequestError(f"{path}: the columns of ranges are {','.join(OWN_COLUMNS)}.")
        for number, row in enumerate(rows, start=2):
            try:
                normal = _own_range(row)
            except (TypeError, ValueError):
                raise RequestError(
                    f"{path}, line {number}: low and high are numbers or empty, low below high, sex is F, M or empty."
                ) from None
            own.setdefault(row["task"], [])
            if normal is not None:
                own[row["task"]].append(normal)
    return {**GUIDELINES, **own}


def _own_range(row: Mapping[str, str]) -> ReferenceRange | None:
    low, high = (float(row[name]) if row[name].strip() else None for name in ("low", "high"))
    sexes: Mapping[str, Sex | None] = {"F": "F", "M": "M", "": None}
    if row["sex"] not in sexes or (low is not None and high is not None and not low < high):
        raise ValueError
    if low is None and high is None:
        return None
    source = RangeSource(citation=row["source"] or "This site's own range.", doi="", verified=True)
    return ReferenceRange(low=low, high=high, sex=sexes[row["sex"]], note=row["note"], source=source)


def why_no_range(task: str) -> str | None:
    """Return why a measurement has no range, where there is more to say than that none is known."""
    return WHY_NO_RANGE.get(task)
