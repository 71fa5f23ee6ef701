"""What reference ranges need to know of a patient: age and body surface, derived so that they identify nobody."""

from datetime import date

from panecho_client._identity.headers import SopInstance

__all__ = ["age_in_years", "body_surface", "is_known"]

OLDEST = 90  # of all who are older: a higher age identifies
YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
HEIGHTS = (0.3, 2.5)  # metres
WEIGHTS = (1.0, 400.0)  # kilograms
STEP = 0.05  # square metres


def is_known(value: float | None) -> bool:
    """Tell whether there is a value; 0 is one."""
    return value is not None


def age_in_years(header: SopInstance) -> int | None:
    """Return the whole years from birth to study, or what the header says of the age; None where neither is usable."""
    years = _years_between(header.patient_birth_date, header.study_date)
    if years is None:
        years = _stated_age(header.patient_age)
    return None if years is None else min(years, OLDEST)


def body_surface(header: SopInstance) -> float | None:
    """Return the body surface in square metres: 0.007184 · weight^0.425 · height^0.725 (Du Bois 1916, kg and cm)."""
    height, weight = _number(header.patient_size, HEIGHTS), _number(header.patient_weight, WEIGHTS)
    if height is None or weight is None:
        return None
    surface = float(0.007184 * weight**0.425 * (100 * height) ** 0.725)
    return round(round(surface / STEP) * STEP, 2)


def _years_between(born: str | None, studied: str | None) -> int | None:
    try:
        birth, study = (date.fromisoformat(text or "") for text in (born, studied))
    except ValueError:
        return None
    years = study.year - birth.year - ((study.month, study.day) < (birth.month, birth.day))
    return years if years >= 0 else None


def _stated_age(text: str | None) -> int | None:
    if not text or not text[:-1].isdecimal() or text[-1] not in YEARS_PER:
        return None
    return int(int(text[:-1]) * YEARS_PER[text[-1]] + 1e-9)


def _number(text: str | None, limits: tuple[float, float]) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if limits[0] <= number <= limits[1] else None
