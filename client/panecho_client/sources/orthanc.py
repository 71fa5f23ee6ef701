"""What Orthanc tells of its studies beyond DICOMweb: its log of changes, and whether a study still grows.

See https://orthanc.uclouvain.be/book/users/rest.html, "Tracking changes".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from panecho_client._exceptions import RequestError
from panecho_client.sources.dicomweb_http import make_session, read_address, translating

__all__ = ["Changes", "Orthanc", "OrthancStudy"]

LIMIT = 1000
"""Changes per answer."""

OF_STUDIES = ("NewStudy", "StableStudy")
"""Changes that say that there may be something to predict. If Orthanc ends while a study grows, it never says that the
study is stable, so that the first one has to do."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Part of Orthanc's log.

    Attributes:
        studies: Orthanc's identifiers of the studies that are new or have become stable, each once.
        last: Number of the last change, to go on after.
        done: Whether there are no more.
    """

    studies: tuple[str, ...]
    last: int
    done: bool


@dataclass(frozen=True, kw_only=True)
class OrthancStudy:
    """A study.

    Attributes:
        uid: StudyInstanceUID.
        stable: Whether nothing was added to it for Orthanc's ``StableAge``.
    """

    uid: str
    stable: bool


class Orthanc:
    """An Orthanc.

    Args:
        url: Of its REST interface, such as ``http://localhost:8042``.
        headers: Sent with each request.
        timeout: Seconds that the server may be silent.

    Raises:
        RequestError: The address is not a valid URL, or the extra ``dicomweb`` is not installed.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 60.0) -> None:
        self.server, local = read_address(url, "an address of Orthanc", "Orthanc", example="http://localhost:8042")
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._session = make_session(headers or {}, verify=True, local=local)

    def changes(self, since: int) -> Changes:
        """Return what happened after a change; from the start if Orthanc's log no longer reaches so far.

        Raises:
            PanEchoError: Orthanc does not answer, or not as Orthanc.
        """
        last = int(self._get("/changes?last")["Last"])
        found = self._get(f"/changes?since={since if since <= last else 0}&limit={LIMIT}")
        studies = [change["ID"] for change in found["Changes"] if change["ChangeType"] in OF_STUDIES]
        return Changes(studies=tuple(dict.fromkeys(studies)), last=int(found["Last"]), done=bool(found["Done"]))

    def study(self, identifier: str) -> OrthancStudy | None:
        """Return a study; None if it was deleted.

        Raises:
            PanEchoError: As ``changes``.
        """
        try:
            found = self._get(f"/studies/{quote(identifier, safe='')}")
        except RequestError as error:
            if error.code != "NOT_FOUND":
                raise
            return None
        return OrthancStudy(uid=str(found["MainDicomTags"]["StudyInstanceUID"]), stable=bool(found["IsStable"]))

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

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        with translating(self.server, self._timeout, kind="Orthanc"):
            answer = self._session.get(f"{self._url}{path}", timeout=self._timeout)
            answer.raise_for_status()
            return answer.json()
