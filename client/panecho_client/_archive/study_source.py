"""Studies to predict: files of this machine, or what a DICOMweb server holds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeAlias

from panecho_client._exceptions import PanEchoError
from panecho_client._identity.pseudonyms import study_name
from panecho_client._identity.study_identity import identify_files
from panecho_client.sources.dicomweb import DicomWeb, RemoteStudy

Fetch: TypeAlias = Callable[[], Sequence[Path]]


class StudySource(Protocol):
    """A study that can be had."""

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """Return what the study is called in outputs, before any pixel of it is read."""

    def files(self) -> AbstractContextManager[Fetch]:
        """Return what gets its files, or raises PanEchoError. They are there until the end of the context."""


@dataclass(frozen=True, kw_only=True)
class LocalStudy:
    """A study that lies in files."""

    paths: tuple[Path, ...]

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """See ``StudySource``."""
        return identify_files(self.paths, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key).study

    def files(self) -> AbstractContextManager[Fetch]:
        """See ``StudySource``."""
        return nullcontext(lambda: self.paths)


@dataclass(frozen=True, kw_only=True)
class DicomWebStudy:
    """A study that a DICOMweb server holds; it is fetched into a temporary folder."""

    server: DicomWeb
    study: RemoteStudy

    def name(self, *, include_identifiers: bool, pseudonym_key: bytes) -> str:
        """See ``StudySource``."""
        return study_name(self.study.uid, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key)

    @contextmanager
    def files(self) -> Iterator[Fetch]:
        """See ``StudySource``. A study of which an instance cannot be fetched is not predicted from the rest."""
        with TemporaryDirectory(prefix="panecho-") as folder:
            yield partial(self.server.fetch, self.study.uid, folder, on_failure=_give_up)


def _give_up(error: PanEchoError) -> None:
    raise error
