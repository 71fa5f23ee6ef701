"""Reference ranges of adults, each from a published guideline that is named with it.

A task has a range only where a guideline gives one for just that measurement, not indexed to the body's surface, which
is not known here. For the others ``why_no_range`` says what is missing.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["RangeSource", "ReferenceRange", "Sex", "reference_ranges", "why_no_range"]

Sex = Literal["F", "M"]


@dataclass(frozen=True, kw_only=True)
class RangeSource:
    """A published guideline.

    Attributes:
        citation: Authors, title, journal, year, volume and pages.
        doi: Digital object identifier.
    """

    citation: str
    doi: str


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
    """

    low: float | None
    high: float | None
    sex: Sex | None
    note: str
    source: RangeSource

    @property
    def text(self) -> str:
        """The range as text, without unit: ``52 to 72``, ``≤ 14`` or ``≥ 1.7``."""
        if self.low is None:
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"

    def contains(self, value: float) -> bool:
        """Tell whether a value is normal; NaN is not."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


CHAMBERS_2015 = RangeSource(
    citation=(
        "Lang RM, Badano LP, Mor-Avi V, et al. Recommendations for cardiac chamber quantification by echocardiography "
        "in adults: an update from the American Society of Echocardiography and the European Association of "
        "Cardiovascular Imaging. J Am Soc Echocardiogr 2015;28:1-39."
    ),
    doi="10.1016/j.echo.2014.10.003",
)
CHAMBERS_2005 = RangeSource(
    citation=(
        "Lang RM, Bierig M, Devereux RB, et al. Recommendations for chamber quantification. "
        "J Am Soc Echocardiogr 2005;18:1440-1463."
    ),
    doi="10.1016/j.echo.2005.10.005",
)
DIASTOLE_2016 = RangeSource(
    citation=(
        "Nagueh SF, Smiseth OA, Appleton CP, et al. Recommendations for the evaluation of left ventricular diastolic "
        "function by echocardiography: an update from the American Society of Echocardiography and the European "
        "Association of Cardiovascular Imaging. J Am Soc Echocardiogr 2016;29:277-314."
    ),
    doi="10.1016/j.echo.2016.01.011",
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


def _by_sex(
    women: tuple[float, float], men: tuple[float, float], note: str, source: RangeSource
) -> list[ReferenceRange]:
    both: tuple[tuple[Sex, tuple[float, float]], ...] = (("F", women), ("M", men))
    return [ReferenceRange(low=low, high=high, sex=sex, note=note, source=source) for sex, (low, high) in both]


def _limit(
    *, low: float | None = None, high: float | None = None, note: str, source: RangeSource
) -> list[ReferenceRange]:
    return [ReferenceRange(low=low, high=high, sex=None, note=note, source=source)]


RANGES: dict[str, list[ReferenceRange]] = {
    "EF": _by_sex((54, 74), (52, 72), BIPLANE, CHAMBERS_2015),
    "LVEDV": _by_sex((46, 106), (62, 150), BIPLANE, CHAMBERS_2015),
    "LVESV": _by_sex((14, 42), (21, 61), BIPLANE, CHAMBERS_2015),
    "LVIDd": _by_sex((3.78, 5.22), (4.2, 5.84), LINEAR, CHAMBERS_2015),
    "LVIDs": _by_sex((2.16, 3.48), (2.5, 3.98), LINEAR, CHAMBERS_2015),
    "IVSd": _by_sex((0.6, 0.9), (0.6, 1.0), LINEAR, CHAMBERS_2015),
    "LVPWd": _by_sex((0.6, 0.9), (0.6, 1.0), LINEAR, CHAMBERS_2015),
    "AORoot": _by_sex(
        (2.4, 3.6),
        (2.8, 4.0),
        "sinuses of Valsalva; mean ± 2 SD of the 3.0 ± 0.3 (women) and 3.4 ± 0.3 cm (men) that the guideline gives; "
        "it prefers limits by age and body surface",
        CHAMBERS_2015,
    ),
    "LAIDs2D": _by_sex(
        (2.7, 3.8),
        (3.0, 4.0),
        "if the model's diameter is the anteroposterior one; since 2015 the volume per body surface is preferred",
        CHAMBERS_2005,
    ),
    "TAPSE": _limit(low=1.7, note="below 1.7 cm abnormal", source=CHAMBERS_2015),
    "RVSVel": _limit(low=9.5, note="pulsed tissue Doppler; below 9.5 cm/s abnormal", source=CHAMBERS_2015),
    "E|EAvg": _limit(high=14, note="averaged e'; above 14 abnormal", source=DIASTOLE_2016),
    "RVSP": _limit(high=35, note="at rest, with a right atrial pressure of 3 to 5 mmHg", source=RIGHT_HEART_2010),
    "AVPkVel(m|s)": _limit(
        high=2.5, note="up to 2.5 m/s no stenosis; from 4.0 m/s severe stenosis", source=STENOSIS_2017
    ),
}

WHY_NO_RANGE = {
    "GLS": "Limits depend on the scanner's vendor and software; the 2015 guideline expects about -20 % in the healthy.",
    "LVSV": "No guideline named here gives a range in cm³.",
    "LVOTDiam": "No guideline named here gives a range.",
    "RVIDd": "Ranges differ along the ventricle, and the model does not say where it measures.",
    "LAVol": "The 2015 guideline gives volumes per body surface, which is not known here.",
    "RADimensionM-L(cm)": "The 2015 guideline gives dimensions per body surface, which is not known here.",
    "TVPkGrad": "The guidelines limit the velocity of the jet, not its gradient.",
}


def reference_ranges(task: str, *, sex: str | None = None) -> tuple[ReferenceRange, ...]:
    """Return the ranges of a task: the one of ``sex`` where it is ``F`` or ``M``, else both; none where none is known.

    Args:
        task: PanEcho's name of the task.
        sex: DICOM's Patient's Sex.
    """
    ranges = RANGES.get(task, [])
    matching = [normal for normal in ranges if normal.sex in (None, sex)]
    return tuple(matching or ranges)


def why_no_range(task: str) -> str | None:
    """Return why a measurement has no range, where there is more to say than that none is known."""
    return WHY_NO_RANGE.get(task)
