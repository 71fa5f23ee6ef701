"""How a request can end. Few kinds, so that they can be counted; the server's text is kept by Locust's own report."""

from dataclasses import dataclass

ANSWERED = "answered"
REFUSED_AS_EXPECTED = "refused as expected"
GOOD = (ANSWERED, REFUSED_AS_EXPECTED)
"""Not errors: an unusable file is meant to be refused."""

QUEUE_FULL = "queue full"
DEADLINE = "deadline exceeded"
UNAVAILABLE = "unavailable"
WRONG_ANSWER = "wrong answer"
NOT_REFUSED = "answered though unusable"
UNANSWERED = "unanswered at the end"
NOT_SENT = "not sent, too many in progress"

BUSY = ("exceeds maximum queue size", "request timeout expired", "short of memory")
"""With these texts Triton, or preprocessing, rejects a request that it has not started, as UNAVAILABLE."""

OF_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""gRPC's names for HTTP's statuses."""


class RefusedError(Exception):
    """The server, or the way to it, answered with an error.

    Attributes:
        status: Name of the gRPC status, such as ``INVALID_ARGUMENT``.
        text: What was said.
    """

    def __init__(self, status: str, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text

    @property
    def kind(self) -> str:
        """The kind of outcome."""
        if self.status == "RESOURCE_EXHAUSTED" or any(sign in self.text.lower() for sign in BUSY):
            return QUEUE_FULL
        if self.status == "DEADLINE_EXCEEDED":
            return DEADLINE
        if self.status == "UNAVAILABLE":
            return UNAVAILABLE
        return self.status.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """How one request ended.

    Attributes:
        kind: As above.
        at: When, on the clock of ``time.perf_counter``.
        received: Bytes of the answer.
        text: What the server said, or what is wrong with its answer.
    """

    kind: str
    at: float
    received: int = 0
    text: str = ""
