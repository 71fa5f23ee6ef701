"""Encoded requests with the answers to expect: everything a scenario needs once the test runs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from numpy.typing import NDArray

from load_tests.requests.answers import difference
from load_tests.requests.connections import TritonConnection
from load_tests.requests.errors import LoadTestError
from load_tests.requests.outcomes import ANSWERED, NOT_REFUSED, REFUSED_AS_EXPECTED, WRONG_ANSWER, RefusedError
from load_tests.requests.payloads import INVALID_ARGUMENT, Payload
from panecho_client.outputs import status_code

STATUS = "video_status"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request ready to be sent.

    Attributes:
        payload: What it is.
        request: Encoded for its connection.
        reference: What the server answers when it has nothing else to do; None where answers are not compared.
    """

    payload: Payload
    request: Any
    reference: Mapping[str, NDArray[Any]] | None = None


class Scenario:
    """The prepared requests of one kind of user, by turns that depend on nothing but the seed."""

    def __init__(self, prepared: Sequence[Prepared], seed: int) -> None:
        self._prepared = prepared
        self._weights = list(itertools.accumulate(each.payload.weight for each in prepared))
        self._random = Random(seed)  # noqa: S311 - no secret

    def next(self) -> Prepared:
        """Return the next request to send."""
        return self._random.choices(self._prepared, cum_weights=self._weights)[0]


def prepare(payload: Payload, connection: TritonConnection, deadline: float, *, compare: bool) -> Prepared:
    """Encode a request, and send it once to see that it ends as it must.

    Raises:
        LoadTestError: It does not.
    """
    request = connection.encode(payload)
    try:
        answer, _ = connection.send(request, deadline)
    except RefusedError as error:
        if judge_refusal(payload, error) != REFUSED_AS_EXPECTED:
            raise LoadTestError(f"before the load, `{payload.model}` refuses a request: {error}") from None
        return Prepared(payload=payload, request=request)
    if payload.refusal:
        raise LoadTestError(f"before the load, `{payload.model}` answers what it must refuse as {payload.refusal}.")
    reference = connection.decode(answer, payload.outputs)
    codes = tuple(status_code(status.decode()) for status in reference.get(STATUS, []))
    if payload.statuses and codes != payload.statuses:
        raise LoadTestError(f"before the load, files have the statuses {codes}, not {payload.statuses}.")
    if missing := set(payload.outputs) - reference.keys():
        raise LoadTestError(f"before the load, `{payload.model}` does not answer {', '.join(sorted(missing))}.")
    return Prepared(payload=payload, request=request, reference=reference if compare else None)


def judge_answer(prepared: Prepared, answer: Any, connection: TritonConnection) -> tuple[str, str]:  # noqa: ANN401 - what the connection gave
    """Return the kind of outcome and what is wrong, if anything."""
    if prepared.payload.refusal:
        return NOT_REFUSED, f"expected {prepared.payload.refusal}"
    if prepared.reference is None:
        return ANSWERED, ""
    wrong = difference(connection.decode(answer, prepared.payload.outputs), prepared.reference)
    return (WRONG_ANSWER, wrong) if wrong else (ANSWERED, "")


def judge_refusal(payload: Payload, error: RefusedError) -> str:
    """Return the kind of outcome: what must be refused, and is with the right code, is no error."""
    expected = payload.refusal and error.status == INVALID_ARGUMENT and payload.refusal in error.text
    return REFUSED_AS_EXPECTED if expected else error.kind
