"""Studies from a DICOMweb server, such as Orthanc or a PACS.

Searches them (QIDO-RS), fetches them into files (WADO-RS), and stores files (STOW-RS). Needs the ``dicomweb`` extra. No
error, log line or file name holds an identifier.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import quote

from panecho_client._exceptions import (
    FilesError,
    IncompatibleServerError,
    PanEchoError,
    RequestError,
    ServerError,
    ServerUnavailableError,
)
from panecho_client._files.found_files import StrPath
from panecho_client._files.whole_files import unfinished
from panecho_client._identity.headers import VALID_UID, SopInstance
from panecho_client.sources.dicomweb_http import (
    PARALLEL,
    make_client,
    make_session,
    read_address,
    retrieved,
    translating,
)
from panecho_client.sources.dicomweb_json import (
    INSTANCE_NUMBER,
    INSTANCE_UID,
    INSTANCES_IN_SERIES,
    MODALITY,
    SERIES_NUMBER,
    SERIES_UID,
    STUDY_UID,
    Entry,
    RemoteStudy,
    every_page,
    is_refusal,
    number,
    remote_study,
    text,
)
from panecho_client.sources.dicomweb_search import MODALITIES, Filters, find_studies
from panecho_client.sources.dicomweb_store import post_instance

__all__ = ["DicomWeb", "RemoteStudy", "log_failure"]

ULTRASOUND = "US"

LOGGER = logging.getLogger(__name__)


def log_failure(error: PanEchoError) -> None:
    """Log that an instance could not be fetched."""
    LOGGER.warning("%s", error)


class DicomWeb:
    """A DICOMweb server.

    One object can be used from several threads.

    Args:
        url: Of the DICOMweb service, such as ``http://localhost:8042/dicom-web``.
        headers: Sent with each request, such as ``{"Authorization": "Bearer …"}``.
        verify: Whether to check the server's certificate, or a file with the authorities to trust.
        timeout: Seconds that the server may be silent.

    Example:
        >>> with DicomWeb("http://localhost:8042/dicom-web") as pacs, TemporaryDirectory() as folder:
        ...     (found,) = pacs.studies(AccessionNumber="4711")
        ...     study = panecho.predict_study(pacs.fetch(found.uid, folder))

    Raises:
        RequestError: The address is not a valid URL, or the extra is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        timeout: float = 60.0,
    ) -> None:
        self.server, local = read_address(
            url, "a DICOMweb address", "a DICOMweb server", example="http://localhost:8042/dicom-web"
        )
        self._url = url.rstrip("/")
        self.timeout = timeout
        self._session = make_session(headers or {}, verify, local=local)
        self._client = make_client(self._url, self._session, timeout)

    def studies(self, **query: str) -> tuple[RemoteStudy, ...]:
        """Return the studies that match, those with ultrasound unless the query names ``ModalitiesInStudy``.

        Filters that the server refuses or ignores are applied here, and the log says so.

        Args:
            query: DICOM keywords and what they must match, such as ``StudyDate="20260101-20260131"``.

        Raises:
            PanEchoError: RequestError for a wrong query; else as ``fetch``.
        """
        with translating(self.server, self.timeout):
            _check_keywords(query)
            filters = {MODALITIES: ULTRASOUND, **query}
            found = find_studies(self._search, self._modalities, filters, server=self.server, parallel=PARALLEL)
            return tuple(remote_study(entry) for entry in found)

    def _search(self, filters: Filters, fields: Sequence[str]) -> list[Entry]:
        return self._every(
            STUDY_UID,
            lambda offset: self._client.search_for_studies(
                search_filters=dict(filters), fields=list(fields) or None, offset=offset
            ),
        )

    def _modalities(self, study: str) -> list[str]:
        return sorted({text(entry, MODALITY) for entry in self._every_series(study)} - {""})

    def _every(self, uid: str, search: Callable[[int | None], list[Entry]]) -> list[Entry]:
        """Return all pages of a search."""

        def page(offset: int | None) -> list[Entry]:
            with translating(self.server, self.timeout):
                return search(offset)

        with translating(self.server, self.timeout):
            return every_page(uid, page)

    def fetch(
        self, study_instance_uid: str, folder: StrPath, *, on_failure: Callable[[PanEchoError], None] = log_failure
    ) -> tuple[Path, ...]:
        """Write the ultrasound instances of a study to files, byte for byte as the server sends them.

        Files are named 0001.dcm and so on, in the order of series and instances.

        Args:
            study_instance_uid: The study.
            folder: New or empty folder; it is made if it does not exist.
            on_failure: Called for each instance that could not be fetched, once the rest is there, and for each series
                of which the server does not list all instances; raise in it to give up on the study.

        Raises:
            FilesError: The folder is not empty or cannot be written.
            RequestError: The server has no ultrasound of such a study, or refuses to hand it over.
            ServerUnavailableError: Nothing answers at the address.
            DeadlineExceededError: No answer in time.
            ServerError: The server failed, does not speak DICOMweb, or hands over none of the instances.
        """
        fetched = self.fetch_study(study_instance_uid, folder)
        for missing in fetched.missing:
            on_failure(missing.error)
        return fetched.paths

    def fetch_study(self, study_instance_uid: str, folder: StrPath) -> "FetchedStudy":
        """Write a study to files, and name what is missing; arguments and errors as of ``fetch``."""
        if not VALID_UID.fullmatch(study_instance_uid):
            raise RequestError("a StudyInstanceUID is numbers with dots between them; search for it with `studies`.")
        target = _prepared(Path(folder))
        instances, missing = self._instances(study_instance_uid)

        def fetch_one(numbered: tuple[int, SopInstance]) -> Path | MissingInstance:
            index, instance = numbered
            path = target / f"{index:04}.dcm"
            try:
                return self._fetch_instance(instance, path)
            except FilesError:  # our disk, not the server's instance
                raise
            except PanEchoError as error:
                text = f"instance {index} of {len(instances)}: {error}"
                return MissingInstance(header=replace(instance, path=path), error=type(error)(text, code=error.code))

        pool = ThreadPoolExecutor(PARALLEL)
        try:
            fetched = list(pool.map(fetch_one, enumerate(instances, start=1)))
        finally:
            pool.shutdown(cancel_futures=True)
        paths = tuple(path for path in fetched if isinstance(path, Path))
        failed = [each for each in fetched if isinstance(each, MissingInstance)]
        if not paths:
            raise _of_study(failed[0].error)
        return FetchedStudy(paths=paths, missing=(*failed, *missing))

    def ultrasound(self, study_instance_uid: str) -> tuple[str, ...]:
        """Return the SOP Instance UIDs of a study's ultrasound, in order; errors as of ``fetch``.

        Raises:
            ServerError: The server does not list a series whole.
        """
        instances, missing = self._instances(study_instance_uid)
        if missing:
            raise missing[0].error
        return tuple(instance.sop_instance_uid or "" for instance in instances)

    def holds(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Tell whether the server holds an instance; errors as of ``studies``."""
        try:
            listed = self._instances_of(study_instance_uid, series_instance_uid)
        except RequestError as error:
            if error.code != "NOT_FOUND":
                raise
            return False
        return any(instance.sop_instance_uid == sop_instance_uid for instance in listed)

    def store(self, content: bytes) -> None:
        """Store one DICOM file (STOW-RS).

        Raises:
            RequestError: The server does not take it.
            PanEchoError: Otherwise as ``fetch``.
        """
        with translating(self.server, self.timeout):
            post_instance(self._session, f"{self._url}/studies", content, server=self.server, timeout=self.timeout)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _instances(self, study: str) -> tuple[list[SopInstance], list["MissingInstance"]]:
        """Return the study's ultrasound in order, and for each series that is not listed whole, what is wrong."""
        every_series = self._every_series(study)
        found: list[SopInstance] = []
        missing: list[MissingInstance] = []
        for entry in every_series:
            if text(entry, MODALITY) == ULTRASOUND:
                series = text(entry, SERIES_UID)
                listed = self._instances_of(study, series)
                found += listed
                if len(listed) < number(entry, INSTANCES_IN_SERIES):
                    error = self._incomplete(len(listed), int(number(entry, INSTANCES_IN_SERIES)))
                    header = SopInstance(path=Path(f"series-{len(missing) + 1}"), content=series)
                    missing.append(MissingInstance(header=header, error=error))
        if not found:
            self._refuse_empty({text(entry, MODALITY) for entry in every_series})
        return found, missing

    def _every_series(self, study: str) -> list[Entry]:
        def every(fields: list[str] | None) -> list[Entry]:
            return self._every(
                SERIES_UID, lambda offset: self._client.search_for_series(study, fields=fields, offset=offset)
            )

        try:
            entries = every(["Modality", "NumberOfSeriesRelatedInstances"])
        except RequestError as error:
            if not is_refusal(error):
                raise
            entries = every(None)  # servers that take no list of fields send these two anyway
        return sorted(entries, key=lambda entry: (number(entry, SERIES_NUMBER), text(entry, SERIES_UID)))

    def _instances_of(self, study: str, series: str) -> list[SopInstance]:
        entries = self._every(
            INSTANCE_UID, lambda offset: self._client.search_for_instances(study, series, offset=offset)
        )
        entries.sort(key=lambda entry: (number(entry, INSTANCE_NUMBER), text(entry, INSTANCE_UID)))
        uids = [text(entry, INSTANCE_UID) for entry in entries]
        return [
            SopInstance(path=Path(), study_instance_uid=study, series_instance_uid=series, sop_instance_uid=uid)
            for uid in uids
        ]

    def _incomplete(self, listed: int, held: int) -> ServerError:
        return ServerError(
            f"{self.server} lists {listed} of the {held} instances of a series; raise its limit of search results."
        )

    def _refuse_empty(self, modalities: set[str]) -> NoReturn:
        if not modalities:
            raise RequestError(f"{self.server} holds no such study; check its UID.", code="NOT_FOUND")
        held = ", ".join(sorted(modalities))
        raise RequestError(
            f"this study holds no ultrasound at {self.server}, only {held}; name another study.", code="NOT_FOUND"
        )

    def _fetch_instance(self, instance: SopInstance, path: Path) -> Path:
        with unfinished(path) as file, file.open("wb") as opened:
            for piece in self._pieces(instance):
                opened.write(piece)
        return path

    def _pieces(self, instance: SopInstance) -> Iterator[bytes]:
        """Yield the bytes of an instance; errors are those of the server, and writing is not in here."""
        uids = (instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid)
        study, series, sop = (quote(uid or "", safe="") for uid in uids)
        url = f"{self._url}/studies/{study}/series/{series}/instances/{sop}"
        with translating(self.server, self.timeout):
            yield from retrieved(self._session, url, self.timeout)


@dataclass(frozen=True, kw_only=True)
class MissingInstance:
    """An instance that could not be fetched, or those of a series that the server does not list.

    Attributes:
        header: What is known of it; ``path`` is where it would be.
        error: The reason.
    """

    header: SopInstance
    error: PanEchoError


@dataclass(frozen=True, kw_only=True)
class FetchedStudy:
    """A study that was fetched.

    Attributes:
        paths: The files.
        missing: What could not be fetched.
    """

    paths: tuple[Path, ...]
    missing: tuple[MissingInstance, ...]


def _of_study(error: PanEchoError) -> PanEchoError:
    """Return the error of a study of which no instance could be fetched: other studies may have no such trouble."""
    if isinstance(error, ServerUnavailableError | IncompatibleServerError):
        return ServerError(error.message, code=error.code)
    return error


def _check_keywords(query: Mapping[str, str]) -> None:
    """Refuse what is no DICOM keyword: servers ignore it and return every study."""
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415 - the extra's

    for keyword in query:
        if tag_for_keyword(keyword) is None:
            raise RequestError(f"{keyword!r} is no DICOM keyword; query StudyDate, PatientID and the like.")


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as error:
        raise FilesError(f"{folder} cannot be used: {error.strerror}.", paths=[folder]) from None
    if not empty:
        raise FilesError(f"{folder} is not empty; name a new folder for each study.", paths=[folder])
    return folder
