"""Which studies of a PACS are new or have changed, and which of them are stable.

Orthanc tells; other servers are searched again and again. A feed names studies by keys of its choice, and says in a
cursor how far it got.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from panecho_client._exceptions import RequestError
from panecho_client.sources.dicomweb import DicomWeb
from panecho_client.sources.orthanc import Orthanc

__all__ = ["DicomWebFeed", "News", "OrthancFeed", "StudyFeed", "StudyGoneError"]

UNKNOWN = -1
"""Instances of a study of which the server does not tell the number."""


class StudyGoneError(Exception):
    """The server holds the study no longer."""


@dataclass(frozen=True, kw_only=True)
class News:
    """What happened since a cursor.

    Attributes:
        studies: Keys of studies that are new or have changed.
        cursor: Where to go on.
        done: Whether there is no more.
    """

    studies: tuple[str, ...]
    cursor: str
    done: bool = True


class StudyFeed(Protocol):
    """Tells which studies to look at."""

    @property
    def name(self) -> str:
        """The server, without identifiers: cursors of different names are kept apart."""

    def news(self, cursor: str) -> News:
        """Return what happened since a cursor, which is empty at first.

        Raises:
            PanEchoError: The server does not answer.
        """

    def stable(self, key: str) -> str | None:
        """Return the StudyInstanceUID of a study that grows no longer; None if it may still grow.

        Raises:
            StudyGoneError: There is no such study any more.
            PanEchoError: The server does not answer.
        """


@dataclass(frozen=True)
class OrthancFeed:
    """Studies that Orthanc calls stable: it was sent nothing of them for its ``StableAge``.

    Keys are Orthanc's own identifiers; the cursor is the number of the last change in its log.
    """

    orthanc: Orthanc

    @property
    def name(self) -> str:
        """See ``StudyFeed``."""
        return f"orthanc {self.orthanc.server}"

    def news(self, cursor: str) -> News:
        """See ``StudyFeed``."""
        changes = self.orthanc.changes(int(cursor or 0))
        return News(studies=changes.studies, cursor=str(changes.last), done=changes.done)

    def stable(self, key: str) -> str | None:
        """See ``StudyFeed``."""
        study = self.orthanc.study(key)
        if study is None:
            raise StudyGoneError
        return study.uid if study.stable else None


@dataclass
class DicomWebFeed:
    """Studies of the last days whose ultrasound has not changed for some time.

    Keys are StudyInstanceUIDs; the cursor holds the number of instances of each study that matched.

    Args:
        server: The DICOMweb server.
        query: DICOM keywords and what they must match.
        days: Studies of how many days before today to look at, unless the query names a StudyDate.
        stable_seconds: How long the list of a study's ultrasound must stay the same.
    """

    server: DicomWeb
    query: Mapping[str, str]
    days: int
    stable_seconds: float
    _seen: dict[str, tuple[tuple[str, ...], float]] = field(default_factory=dict, init=False, repr=False)

    @property
    def name(self) -> str:
        """See ``StudyFeed``."""
        return f"dicomweb {self.server.server}"

    def news(self, cursor: str) -> News:
        """See ``StudyFeed``."""
        before: dict[str, int] = json.loads(cursor or "{}")
        first = date.today() - timedelta(days=self.days)  # noqa: DTZ011 - the scanner's calendar, as near as known
        found = self.server.studies(**{"StudyDate": f"{first:%Y%m%d}-", **self.query})
        now = {study.uid: study.instances or UNKNOWN for study in found}
        changed = tuple(uid for uid, instances in now.items() if before.get(uid) != instances)
        return News(studies=changed, cursor=json.dumps(now))

    def stable(self, key: str) -> str | None:
        """See ``StudyFeed``."""
        try:
            listed = self.server.ultrasound(key)
        except RequestError as error:
            if error.code != "NOT_FOUND":
                raise
            raise StudyGoneError from None
        now = time.monotonic()
        before, since = self._seen.get(key, (None, now))
        if listed != before:
            since = now
        self._seen[key] = (listed, since)
        if now - since < self.stable_seconds:
            return None
        del self._seen[key]
        return key
