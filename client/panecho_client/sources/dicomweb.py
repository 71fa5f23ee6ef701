"""Studies from a DICOMweb server, such as Orthanc or a PACS: search (QIDO-RS) and retrieval into files (WADO-RS).

Needs the ``dicomweb`` extra. No error, log line or file name holds an identifier.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import urlsplit

from panecho_client._exceptions import FilesError, PanEchoError, RequestError, ServerError
from panecho_client._files import StrPath
from panecho_client._identity.headers import VALID_UID
from panecho_client._whole_files import unfinished
from panecho_client.sources.dicomweb_http import PARALLEL, make_client, make_session, translating
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
    number,
    remote_study,
    text,
)

__all__ = ["DicomWeb", "RemoteStudy", "log_failure"]

ULTRASOUND = "US"
LOCAL = ("localhost", "::1")

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
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError("a DICOMweb address is a URL such as http://localhost:8042/dicom-web.")
        if parts.username or parts.password:
            raise RequestError("give name and password of a DICOMweb server as headers, not in its address.")
        self.server = f"{parts.scheme}://{parts.netloc}"
        self.timeout = timeout
        self._session = make_session(
            headers or {}, verify, local=parts.hostname in LOCAL or parts.hostname.startswith("127.")
        )
        self._client = make_client(url.rstrip("/"), self._session, timeout)

    def studies(self, **query: str) -> tuple[RemoteStudy, ...]:
        """Return the studies that match, those with ultrasound unless the query names ``ModalitiesInStudy``.

        Args:
            query: DICOM keywords and what they must match, such as ``StudyDate="20260101-20260131"``.

        Raises:
            PanEchoError: RequestError for a wrong query; else as ``fetch``.
        """
        filters = {"ModalitiesInStudy": ULTRASOUND, **query}
        fields = ["ModalitiesInStudy", "NumberOfStudyRelatedInstances"]
        with translating(self.server, self.timeout):
            _check_keywords(filters)
            entries = every_page(
                STUDY_UID,
                lambda offset: self._client.search_for_studies(search_filters=filters, fields=fields, offset=offset),
            )
            return tuple(remote_study(entry) for entry in entries)

    def fetch(
        self, study_instance_uid: str, folder: StrPath, *, on_failure: Callable[[PanEchoError], None] = log_failure
    ) -> tuple[Path, ...]:
        """Write the ultrasound instances of a study to files, as the server has stored them.

        Files are named 0001.dcm and so on, in the order of series and instances.

        Args:
            study_instance_uid: The study.
            folder: New or empty folder; it is made if it does not exist.
            on_failure: Called for a series of which the server does not list all instances, and once the rest is there
                for each instance that could not be fetched; raise in it to give up on the study.

        Raises:
            FilesError: The folder is not empty or cannot be written.
            RequestError: The server has no ultrasound of such a study, or refuses to hand it over.
            ServerUnavailableError: Nothing answers at the address.
            DeadlineExceededError: No answer in time.
            ServerError: The server failed, or does not speak DICOMweb.
        """
        if not VALID_UID.fullmatch(study_instance_uid):
            raise RequestError("a StudyInstanceUID is numbers with dots between them; search for it with `studies`.")
        target = _prepared(Path(folder))
        instances = self._instances(study_instance_uid, on_failure)

        def fetch_one(numbered: tuple[int, tuple[str, str, str]]) -> Path | PanEchoError:
            index, uids = numbered
            try:
                return self._fetch_instance(uids, target / f"{index:04}.dcm")
            except PanEchoError as error:
                text = f"instance {index} of {len(instances)}: {error}"
                return type(error)(text, code=error.code, paths=error.paths)

        pool = ThreadPoolExecutor(PARALLEL)
        try:
            fetched = list(pool.map(fetch_one, enumerate(instances, start=1)))
        finally:
            pool.shutdown(cancel_futures=True)
        failures = [error for error in fetched if isinstance(error, PanEchoError)]
        if len(failures) == len(fetched):
            raise failures[0]
        for failure in failures:
            on_failure(failure)
        return tuple(path for path in fetched if isinstance(path, Path))

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

    def _instances(self, study: str, on_failure: Callable[[PanEchoError], None]) -> list[tuple[str, str, str]]:
        """Return study, series and instance UIDs of the study's ultrasound, in order."""
        every_series = self._every_series(study)
        found = []
        for entry in every_series:
            if text(entry, MODALITY) == ULTRASOUND:
                series = text(entry, SERIES_UID)
                listed = self._instances_of(study, series)
                found += [(study, series, instance) for instance in listed]
                if len(listed) < number(entry, INSTANCES_IN_SERIES):
                    on_failure(self._incomplete(len(listed), int(number(entry, INSTANCES_IN_SERIES))))
        if not found:
            self._refuse_empty({text(entry, MODALITY) for entry in every_series})
        return found

    def _every_series(self, study: str) -> list[Entry]:
        fields = ["Modality", "NumberOfSeriesRelatedInstances"]
        with translating(self.server, self.timeout):
            entries = every_page(
                SERIES_UID,
                lambda offset: self._client.search_for_series(study, fields=fields, offset=offset),
            )
            return sorted(entries, key=lambda entry: (number(entry, SERIES_NUMBER), text(entry, SERIES_UID)))

    def _instances_of(self, study: str, series: str) -> list[str]:
        with translating(self.server, self.timeout):
            entries = every_page(
                INSTANCE_UID, lambda offset: self._client.search_for_instances(study, series, offset=offset)
            )
            entries.sort(key=lambda entry: (number(entry, INSTANCE_NUMBER), text(entry, INSTANCE_UID)))
            return [text(entry, INSTANCE_UID) for entry in entries]

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

    def _fetch_instance(self, uids: tuple[str, str, str], path: Path) -> Path:
        with translating(self.server, self.timeout):
            # Whatever transfer syntax it is stored in: ("application/dicom", "*") is the library's default.
            instance = self._client.retrieve_instance(*uids)
            with unfinished(path) as file:
                instance.save_as(file)
        return path


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
