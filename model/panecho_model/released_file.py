"""Fetches the released weights into the user's cache, once, after their licence is accepted."""

import hashlib
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from panecho_model.errors import DownloadError

RELEASED_URL = "https://github.com/CarDS-Yale/PanEcho/releases/download/v1.0/panecho.pt"
LICENCE = "CC BY-NC-SA 4.0"
ACCEPT_VARIABLE = "PANECHO_ACCEPT_LICENCE"
CACHE_VARIABLE = "PANECHO_CACHE"

ATTEMPTS = 5
FIRST_WAIT = 1.0
"""Seconds before the second attempt; each further wait is twice as long."""
TIMEOUT = 30.0
"""Seconds without a byte after which an attempt has failed."""
CHUNK = 1 << 20

UNSATISFIABLE = 416
PASSING = (408, UNSATISFIABLE, 429)
"""HTTP statuses below 500 after which another attempt may succeed."""

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that are here and, where the server says it, those of the whole file."""


def cache_folder() -> Path:
    """Return the folder of fetched weights: ``PANECHO_CACHE``, else ``panecho`` in the user's cache (XDG)."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "panecho"


def licence_accepted() -> bool:
    """Tell whether the environment accepts the licence (``PANECHO_ACCEPT_LICENCE=1``)."""
    return os.environ.get(ACCEPT_VARIABLE, "").lower() not in ("", "0", "no", "false")


def _ignore(_done: int, _total: int | None) -> None:
    return


def fetch_released(
    *,
    url: str | None = None,
    sha256: str | None = None,
    accept_licence: bool = False,
    on_progress: OnProgress = _ignore,
) -> Path:
    """Return the path of the released weights in the cache; fetch them first if they are not there.

    A download that breaks off is continued where the server allows it, and tried 5 times. The file takes its name only
    when it is whole.

    Args:
        url: Address of the file; the published release by default, or a mirror of it.
        sha256: Digest that the file must have, 64 hexadecimal digits.
        accept_licence: Accept the licence of the weights; so does ``PANECHO_ACCEPT_LICENCE=1``. Needed once.
        on_progress: Called while bytes arrive.

    Raises:
        DownloadError: The licence is not accepted, the file cannot be fetched, or its digest differs.
    """
    url = url or RELEASED_URL
    path = _place(url)
    if not path.is_file():
        if not (accept_licence or licence_accepted()):
            raise DownloadError(
                f"PanEcho's released weights are licensed {LICENCE}: no commercial use, share alike. To "
                f"accept, give --accept-licence, accept_licence=True, or set {ACCEPT_VARIABLE}=1; then they are "
                f"fetched from {url}."
            )
        _fetch(url, path, on_progress)
    _require_digest(path, sha256, url)
    return path


def _place(url: str) -> Path:
    """Return where a file is kept: files of other addresses do not replace the release."""
    name = url.rpartition("/")[2] or "panecho.pt"
    if url == RELEASED_URL:
        return cache_folder() / name
    return cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:16] / name


def _fetch(url: str, path: Path, on_progress: OnProgress) -> None:
    part = path.with_name(f"{path.name}.part")
    fault = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_WAIT * 2 ** (attempt - 1))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _receive(url, part, on_progress)
            part.replace(path)
        except urllib.error.HTTPError as error:
            fault = f"HTTP {error.code} {error.reason}"
            if not _may_pass(error.code, part):
                break
        except urllib.error.URLError as error:
            fault = str(error.reason)
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                break
        except (TimeoutError, HTTPException, ConnectionError) as error:
            fault = str(error) or type(error).__name__
        except OSError as error:
            raise _unwritable(part, error) from None
        else:
            return
    raise _failed(url, path, fault)


def _may_pass(status: int, part: Path) -> bool:
    """Tell whether another attempt may succeed after this HTTP status."""
    if status == UNSATISFIABLE:  # the part is no beginning of the file
        part.unlink(missing_ok=True)
    return status >= 500 or status in PASSING


def _unwritable(part: Path, error: OSError) -> DownloadError:
    reason = error.strerror or error
    return DownloadError(f"{part} cannot be written: {reason}; make room, or set {CACHE_VARIABLE} to another folder.")


def _receive(url: str, part: Path, on_progress: OnProgress) -> None:
    """Append the rest of the file to ``part``, or all of it where the server sends all or the file has changed."""
    have = part.stat().st_size if part.is_file() else 0
    tag = part.with_name(f"{part.name}.etag")
    headers = {"User-Agent": "panecho-triton"}
    if have and tag.is_file():
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - https, or what the user gave
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
        have = have if answer.status == 206 else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        _note_tag(tag, answer.headers.get("ETag"))
        with part.open("ab" if have else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                on_progress(have, total)
    if total is not None and have != total:
        raise ConnectionError(f"the connection broke off after {have} of {total} bytes")
    tag.unlink(missing_ok=True)


def _note_tag(tag: Path, value: str | None) -> None:
    """Keep the file's version, so that a later attempt goes on with the same one."""
    if value and not value.startswith("W/"):
        tag.write_text(value)
    else:
        tag.unlink(missing_ok=True)


def _require_digest(path: Path, sha256: str | None, url: str) -> None:
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        path.unlink()
        raise DownloadError(
            f"the file from {url} has SHA-256 {found}, not {sha256.lower()}; it was removed. Check --sha256 and "
            "the address."
        )


def _failed(url: str, path: Path, reason: str) -> DownloadError:
    return DownloadError(
        f"PanEcho's released weights cannot be fetched from {url}: {reason}. Download the file by hand, on any "
        f"machine, and give its path with --checkpoint, or put it at {path}. Proxies are taken from HTTPS_PROXY, "
        "further certificate authorities from SSL_CERT_FILE."
    )
