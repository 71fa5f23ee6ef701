"""What DICOMweb servers answer to searches: DICOM JSON (PS3.18 F.2), a list of entries by tag."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from panecho_client._exceptions import RequestError

LOGGER = logging.getLogger(__name__)

MODALITY = "00080060"
MODALITIES_IN_STUDY = "00080061"
STUDY_DATE = "00080020"
STUDY_UID = "0020000D"
SERIES_UID = "0020000E"
SERIES_NUMBER = "00200011"
INSTANCE_UID = "00080018"
INSTANCE_NUMBER = "00200013"
INSTANCES_IN_STUDY = "00201208"
INSTANCES_IN_SERIES = "00201209"

Entry: TypeAlias = dict[str, dict[str, Any]]
"""Tag → ``vr`` and ``Value``."""


@dataclass(frozen=True, kw_only=True)
class RemoteStudy:
    """A study that a DICOMweb server holds. Its ``repr`` can be logged.

    Attributes:
        uid: StudyInstanceUID.
        date: StudyDate, such as 20260131; empty where the server does not tell.
        modalities: Of its series.
        instances: How many it has; None where the server does not tell.
    """

    uid: str = field(repr=False)
    date: str = field(repr=False)
    modalities: tuple[str, ...]
    instances: int | None


def every_page(uid: str, search: Callable[[int | None], list[Entry]]) -> list[Entry]:
    """Return all that a search finds: a server may send it in pages.

    Ends also where a server ignores the offset, or refuses it; then the log says so.
    """
    found: dict[str, Entry] = {}
    while True:
        try:
            page = {text(entry, uid): entry for entry in search(len(found) or None)}
        except RequestError as error:
            if not found or not is_refusal(error):
                raise
            LOGGER.warning("The DICOMweb server refuses to list more than its first %d results.", len(found))
            return list(found.values())
        if page.keys() <= found.keys():
            return list(found.values())
        found |= page


def is_refusal(error: RequestError) -> bool:
    """Tell whether a server refuses a request as it is, not who asks."""
    return error.code == RequestError.default_code


def values(entry: Entry, tag: str) -> list[Any]:
    """Return all values of an element; none where it is missing."""
    found: list[Any] = entry.get(tag, {}).get("Value", [])
    return found


def text(entry: Entry, tag: str) -> str:
    """Return the first value; empty where it is missing."""
    return str(next(iter(values(entry, tag)), ""))


def number(entry: Entry, tag: str) -> float:
    """Return the first value; 0 where it is missing."""
    return float(next(iter(values(entry, tag)), 0) or 0)


def remote_study(entry: Entry) -> RemoteStudy:
    """Return what an entry of a search for studies says."""
    return RemoteStudy(
        uid=text(entry, STUDY_UID),
        date=text(entry, STUDY_DATE),
        modalities=tuple(map(str, values(entry, MODALITIES_IN_STUDY))),
        instances=int(number(entry, INSTANCES_IN_STUDY)) or None,
    )
