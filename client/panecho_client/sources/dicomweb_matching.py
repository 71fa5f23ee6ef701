"""Attribute matching of searches (PS3.4, C.2.2.2), for servers that do not do it themselves."""

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Any

DATES = re.compile(r"([0-9]{8})?(-?)([0-9]{8})?")
LISTS = re.compile(r"[\\,]")
TEXTS = ("AE", "CS", "IS", "LO", "SH", "UI")
"""Value representations whose values are compared as texts. Names of persons are not among them: servers match those
in many ways, by parts and by sound."""


def tag_of(keyword: str) -> str:
    """Return the tag of a DICOM keyword as DICOM JSON writes it."""
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415 - the extra's

    return f"{tag_for_keyword(keyword) or 0:08X}"


def can_match(keyword: str, value: str) -> bool:
    """Tell whether ``matches`` knows how to compare values of this keyword with this one."""
    kind = _kind(keyword)
    dates = DATES.fullmatch(value)
    return bool(value) and '"' not in value and (kind in TEXTS or (kind == "DA" and dates is not None))


def matches(found: Sequence[Any], keyword: str, value: str) -> bool:
    """Tell whether one of the values of an element matches; an element without values matches whatever is asked for.

    Args:
        found: Values of the element.
        keyword: Its keyword.
        value: A text, with the wildcards * and ?; several UIDs or modalities, with commas; a date or a range of dates.
    """
    if not found:
        return True
    if _kind(keyword) == "DA":
        return any(_in_range(str(each), value) for each in found)
    asked = LISTS.split(value) if keyword == "ModalitiesInStudy" or _kind(keyword) == "UI" else [value]
    patterns = [re.compile(translate(each.strip().replace("[", "[[]")), re.IGNORECASE) for each in asked]
    return any(pattern.match(str(each).strip()) for pattern in patterns for each in found)


def _kind(keyword: str) -> str:
    from pydicom.datadict import dictionary_VR, tag_for_keyword  # noqa: PLC0415 - the extra's

    tag = tag_for_keyword(keyword)
    return "" if tag is None else dictionary_VR(tag)


def _in_range(date: str, value: str) -> bool:
    found = DATES.fullmatch(value)
    if found is None:
        return False
    first, dash, last = found.groups()
    date = date.replace(".", "").replace("-", "")[:8]
    return (first or "") <= date <= (last or ("99999999" if dash else first or ""))
