"""What a load test must keep, from a TOML file."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from load_tests.requests.errors import LoadTestError
from load_tests.stages.stages import MeasuredStage

DEFAULT_FILE = Path(__file__).parents[1] / "thresholds.toml"


@dataclass(frozen=True, kw_only=True)
class Sustained:
    """When a stage is sustained; see ``thresholds.toml``."""

    throughput_ratio: float = 0.95
    slack_requests: float = 2
    p95_seconds: float = 2.0
    error_ratio: float = 0.01

    def holds(self, stage: MeasuredStage, *, closed: bool = False) -> bool:
        """Tell whether a stage was sustained. Closed users wait for their answers, so they always get what they ask."""
        allowed = max(stage.arrivals * (1 - self.throughput_ratio), self.slack_requests)
        return (
            stage.completions > 0
            and (closed or stage.arrivals - stage.completions <= allowed)
            and stage.error_ratio <= self.error_ratio
            and stage.p95 is not None
            and stage.p95 <= self.p95_seconds
        )


@dataclass(frozen=True, kw_only=True)
class Required:
    """What the whole test must reach; None is not judged."""

    p95_seconds: float | None = None
    error_ratio: float | None = None
    throughput: float | None = None


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Both."""

    sustained: Sustained
    required: Required


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One threshold, and what was measured."""

    name: str
    limit: float
    measured: float | None
    at: Literal["most", "least"]

    @property
    def passed(self) -> bool:
        """Whether it was kept; what could not be measured was not."""
        if self.measured is None:
            return False
        return self.measured <= self.limit if self.at == "most" else self.measured >= self.limit


def read_thresholds(path: Path = DEFAULT_FILE) -> Thresholds:
    """Read the file.

    Raises:
        LoadTestError: It cannot be read, or holds something else than numbers of known names.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise LoadTestError(f"{path}: {error}; give a TOML file as load_tests/thresholds.toml is one.") from None
    if unknown := tables.keys() - {"sustained", "required"}:
        raise LoadTestError(f"{path}: [{min(unknown)}] is neither [sustained] nor [required].")
    return Thresholds(
        sustained=_read(Sustained, tables.get("sustained", {}), path),
        required=_read(Required, tables.get("required", {}), path),
    )


T = TypeVar("T", Sustained, Required)


def _read(kind: type[T], table: dict[str, Any], path: Path) -> T:
    known = [field.name for field in fields(kind)]
    for name, value in table.items():
        if name not in known:
            raise LoadTestError(f"{path}: {name} is unknown; known are {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise LoadTestError(f"{path}: {name} = {value!r} is not a number of at least 0.")
    return kind(**table)


def judge(required: Required, stages: Sequence[MeasuredStage]) -> list[Verdict]:
    """Judge the stages that must keep the thresholds."""
    judged = [stage for stage in stages if stage.judged]
    errors = [stage.error_ratio for stage in judged]
    measured: Iterable[tuple[str, float | None, float | None, Literal["most", "least"]]] = (
        ("p95_seconds", required.p95_seconds, _worst([stage.p95 for stage in judged]), "most"),
        ("error_ratio", required.error_ratio, max(errors, default=None), "most"),
        ("throughput", required.throughput, max((stage.throughput for stage in judged), default=None), "least"),
    )
    return [
        Verdict(name=name, limit=limit, measured=value, at=at)
        for name, limit, value, at in measured
        if limit is not None
    ]


def _worst(values: Sequence[float | None]) -> float | None:
    """Return the largest, None where one is missing: a stage without an answer kept nothing."""
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None
