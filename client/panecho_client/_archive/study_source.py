"""Studies of a run: in files of this machine, or on a DICOMweb server."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Protocol, TypeAlias

from panecho_client._identity.headers import SopInstance
from panecho_client._identity.pseudonyms import study_name
from panecho_client.sources.dicomweb import DicomWeb, MissingInstance, RemoteStudy
from panecho_client.sources.local_study import LocalStudy


@dataclass(frozen=True, kw_only=True)
class StudyFiles:
    """The files of a study.

    Attributes:
        headers: Of the files that are there.
        missing: What could not be fetched.
    """

    headers: tuple[SopInstance, ...]
    missing: tuple[MissingInstance, ...] = ()


Fetch: TypeAlias = Callable[[], StudyFiles]


class StudySource(Protocol):
    """A study that can be fetched."""

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """Return the study's name in outputs. No pixel is decoded."""

    def opened(self) -> AbstractContextManager[Fetch]:
        """Give the function that fetches the study, or raises PanEchoError. Its files last as long as the context."""


@dataclass(frozen=True)
class StudyInFiles:
    """A study in files of this machine."""

    study: LocalStudy

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """See ``StudySource``."""
        return self.study.identity(include_identifiers=include_identifiers, pseudonym_key=pseudonym_key).study

    def opened(self) -> AbstractContextManager[Fetch]:
        """See ``StudySource``."""
        return nullcontext(lambda: StudyFiles(headers=self.study.headers))


@dataclass(frozen=True, kw_only=True)
class DicomWebStudy:
    """A study on a DICOMweb server; it is fetched into a temporary folder."""

    server: DicomWeb
    study: RemoteStudy

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """See ``StudySource``."""
        return study_name(self.study.uid, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key)

    @contextmanager
    def opened(self) -> Iterator[Fetch]:
        """See ``StudySource``. An instance that cannot be fetched does not harm the others."""
        with TemporaryDirectory(prefix="panecho-") as folder:
            yield lambda: self._fetched(folder)

    def _fetched(self, folder: str) -> StudyFiles:
        fetched = self.server.fetch_study(self.study.uid, folder)
        return StudyFiles(headers=LocalStudy(fetched.paths).headers, missing=fetched.missing)
