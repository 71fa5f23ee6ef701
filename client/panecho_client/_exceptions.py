"""What can go wrong.

PanEchoError
├── RequestError                 what was asked for cannot be done: change the request
│   ├── FilesError               a path is missing, unreadable, empty or too large
│   ├── NoUsableVideoError       no file of the study can be used; `codes` says why
│   └── UnknownTaskError         the server has no task of that name (also a KeyError)
├── ServerUnavailableError       nothing answers at the address, or it is not ready
│   └── ServerBusyError          it takes no more requests now: send the same one again later
├── DeadlineExceededError        no answer in time
└── ServerError                  the server failed
    └── IncompatibleServerError  it answers, but not as this version of the client expects
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

NO_CINE = frozenset(
    {
        *("NOT_ULTRASOUND", "NOT_TRANSTHORACIC", "NOT_A_CINE", "SPECTRAL_DOPPLER", "M_MODE", "VOLUME"),
        *("STRUCTURED_REPORT", "WAVEFORM", "DICOMDIR"),
    }
)
"""Status codes of what a study holds in addition to its cines; docs/reference/statuses.md lists them all."""

NOTHING_USABLE = "no file of this request could be used: "
"""How the server begins that a study has no usable file."""

STATUS_CODE = re.compile(r"(?:video_sizes\[\d+\]|[:;] \d+): ([A-Z_0-9]+): ")

# How the server names a file: ``video_sizes[2]: …``, or a list such as ``0: CODE: …; 2: CODE: …``.
VIDEO_INDEX = re.compile(r"video_sizes\[(\d+)\]|(?:^|[:;] )(\d+): (?=[A-Z])")


class PanEchoError(Exception):
    """Base of every error that this package raises; its text says what to do.

    Example:
        >>> try:
        ...     study = panecho.predict_study("study/")
        ... except ServerUnavailableError as error:
        ...     print(error)
        ... except PanEchoError as error:
        ...     print(error.code, error.paths, error)

    Attributes:
        code: gRPC status, such as ``INVALID_ARGUMENT``.
        paths: Files that the error is about.
    """

    default_code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, *, code: str | None = None, paths: Iterable[Path] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.paths = tuple(paths)

    def __str__(self) -> str:
        """Return the message; a KeyError among the bases would quote it."""
        return self.message

    def naming(self, files: Sequence[Path]) -> Self:
        """Return this error with the files that its text knows by their index only."""
        found = (int(next(filter(None, match.groups()))) for match in VIDEO_INDEX.finditer(self.message))
        named = {index: files[index] for index in found if index < len(files)}
        if not named:
            return self
        names = "; ".join(f"video {index} is {path}" for index, path in named.items())
        return type(self)(f"{self.message} ({names})", code=self.code, paths=named.values())


@contextmanager
def naming(files: Sequence[Path]) -> Iterator[None]:
    """Name the files that an error raised within knows by their index only."""
    try:
        yield
    except PanEchoError as error:
        raise error.naming(files) from None


class RequestError(PanEchoError):
    """What was asked for cannot be done."""

    default_code = "INVALID_ARGUMENT"


class FilesError(RequestError):
    """A path is missing, unreadable, empty or too large; ``paths`` holds it."""


class NoUsableVideoError(RequestError):
    """No file of the study can be used."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The status code of each file."""
        return tuple(STATUS_CODE.findall(self.message))

    @property
    def without_cine(self) -> bool:
        """Whether nothing is wrong with the files, and none is a cine: there is nothing to predict."""
        return bool(self.codes) and {*self.codes} <= NO_CINE


class UnknownTaskError(RequestError, KeyError):
    """There is no task, or no prediction, of that name."""

    default_code = "NOT_FOUND"

    @classmethod
    def of(cls, key: str, known: Iterable[str], *, where: str) -> Self:
        """Return the error for ``key``, with the closest of the ``known`` names."""
        known = list(known)
        close = difflib.get_close_matches(key.lower(), [name.lower() for name in known], n=3, cutoff=0.5)
        matches = [name for lowered in close for name in known if name.lower() == lowered]
        hint = f"did you mean {' or '.join(matches)}?" if matches else f"known: {', '.join(known) or 'none'}."
        return cls(f"{where} has no task {key!r}; {hint}")


class ServerUnavailableError(PanEchoError):
    """Nothing answers at the address, or it is not ready."""

    default_code = "UNAVAILABLE"


class ServerBusyError(ServerUnavailableError):
    """The server takes no more requests now; send the same one again later."""


class DeadlineExceededError(PanEchoError):
    """No answer in time."""

    default_code = "DEADLINE_EXCEEDED"


class ServerError(PanEchoError):
    """The server failed."""

    default_code = "INTERNAL"


class IncompatibleServerError(ServerError):
    """A server answers, but not as this version of the client expects."""

    default_code = "FAILED_PRECONDITION"
