"""Storing of DICOM files on a DICOMweb server (STOW-RS, PS3.18, 10.5), byte for byte."""

from typing import TYPE_CHECKING, Any

from panecho_client._exceptions import PanEchoError, RequestError, ServerError

if TYPE_CHECKING:
    import requests

__all__ = ["post_instance"]

FAILED_INSTANCES = "00081198"
FAILURE_REASON = "00081197"
BOUNDARY = "panecho-0f3cf5c070e041efbaefc6f9f65ec3e1"
HEADERS = {
    "Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"',
    "Accept": "application/dicom+json",
}

CONFLICT = 409
"""The server takes none of the instances; the answer says why."""

OUT_OF_RESOURCES = range(0xA700, 0xA800)
"""Failure reasons that pass (PS3.18, table 10.5.3-1); the others are about the file."""


def post_instance(session: "requests.Session", url: str, content: bytes, *, server: str, timeout: float) -> None:
    """Send one file.

    Args:
        session: The connection.
        url: Of the service's studies.
        content: The file.
        server: Address of the server, for messages.
        timeout: Seconds that the server may be silent.

    Raises:
        RequestError: The server takes no such file.
        ServerError: The server has no room for it.
        requests.RequestException: The server refuses or fails, or the connection does.
    """
    part = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = part + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    answer = session.post(url, data=body, headers=HEADERS, timeout=timeout)
    if answer.status_code != CONFLICT:
        answer.raise_for_status()
    failed = _failed(answer)
    if failed or answer.status_code == CONFLICT:
        raise _refused(server, failed[0] if failed else 0)


def _failed(answer: "requests.Response") -> list[int]:
    """Return the reason of each instance that was not stored; a server that sends no JSON tells none."""
    try:
        stored = answer.json()
    except ValueError:
        return []
    stored = stored[0] if isinstance(stored, list) and stored else stored
    items: list[Any] = stored.get(FAILED_INSTANCES, {}).get("Value", []) if isinstance(stored, dict) else []
    return [int(next(iter(item.get(FAILURE_REASON, {}).get("Value", [])), 0)) for item in items]


def _refused(server: str, reason: int) -> PanEchoError:
    if reason in OUT_OF_RESOURCES:
        return ServerError(f"{server} has no room for the report (failure reason {reason:04X}); make room there.")
    named = f" (failure reason {reason:04X})" if reason else ""
    return RequestError(f"{server} does not take the report{named}; its log says more.", code="FAILED_PRECONDITION")
