"""Triton's own statistics: how long each model let requests wait and computed, and in batches of which sizes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from load_tests.requests.connections import TritonConnection
from load_tests.requests.outcomes import RefusedError

ENSEMBLE = "panecho"
"""Left out: its requests are counted in its steps."""


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Of one model, since the server started or between two samples.

    Attributes:
        requests: Answered.
        failed: Not answered, for whatever reason.
        queue: Seconds that requests waited before the model began, all together.
        compute: Seconds that requests were in the model, all together: each counts the whole time of its batch.
        batches: Executions by batch size.
    """

    requests: int = 0
    failed: int = 0
    queue: float = 0.0
    compute: float = 0.0
    batches: Mapping[int, int] = field(default_factory=dict)

    def __sub__(self, earlier: Self) -> "Counters":
        """Return what came after."""
        batches = {size: count - earlier.batches.get(size, 0) for size, count in self.batches.items()}
        return Counters(
            requests=self.requests - earlier.requests,
            failed=self.failed - earlier.failed,
            queue=self.queue - earlier.queue,
            compute=self.compute - earlier.compute,
            batches={size: count for size, count in sorted(batches.items()) if count},
        )

    @property
    def queue_per_request(self) -> float:
        """Mean seconds of waiting."""
        return self.queue / self.requests if self.requests else 0.0

    @property
    def compute_per_request(self) -> float:
        """Mean seconds of computing."""
        return self.compute / self.requests if self.requests else 0.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """All models at one time, seconds since 1970."""

    at: float
    models: Mapping[str, Counters]


def take_sample(connection: TritonConnection) -> Sample | None:
    """Ask the server; None if it does not tell."""
    try:
        models = connection.statistics()
    except RefusedError:
        return None
    return Sample(
        at=time.time(), models={model["name"]: _counters(model) for model in models if model["name"] != ENSEMBLE}
    )


def between(samples: Sequence[Sample], begin: float, end: float) -> dict[str, Counters]:
    """Return what the models did from the last sample before `begin` to the first after `end`, or nearly."""
    if len(samples) < 2:
        return {}
    first = max((sample for sample in samples if sample.at <= begin), key=_at, default=samples[0])
    last = min((sample for sample in samples if sample.at >= end), key=_at, default=samples[-1])
    return {name: counters - first.models.get(name, Counters()) for name, counters in last.models.items()}


def _at(sample: Sample) -> float:
    return sample.at


def _counters(model: Mapping[str, Any]) -> Counters:
    stats = model.get("inference_stats", {})
    computing = ("compute_input", "compute_infer", "compute_output")
    return Counters(
        requests=_number(stats, "success", "count"),
        failed=_number(stats, "fail", "count"),
        queue=_number(stats, "queue", "ns") / 1e9,
        compute=sum(_number(stats, name, "ns") for name in computing) / 1e9,
        batches={
            int(batch["batch_size"]): _number(batch, "compute_infer", "count") for batch in model.get("batch_stats", [])
        },
    )


def _number(stats: Mapping[str, Any], name: str, unit: str) -> int:
    return int(stats.get(name, {}).get(unit, 0))
