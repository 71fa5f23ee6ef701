"""The results of checks, where they come from, and how they are shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

Status = Literal["ok", "warning", "failed"]

GROUP = "panecho.checks"
"""Entry points of other packages' checks: functions without arguments that yield the values of ``Check`` as tuples."""

EXPORT_GROUP = "panecho.export_checks"
"""Entry points of other packages' looks at an export: functions of its folder that return a warning, or nothing."""

STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        status: ``ok``; ``warning`` for what works and may surprise; ``failed`` for what does not work.
        found: What was found.
        advice: What to do about it; never empty unless ``ok``.
    """

    name: str
    status: Status
    found: str
    advice: str = ""

    def __post_init__(self) -> None:
        """Refuse a complaint without advice."""
        if self.status != "ok" and not self.advice:
            raise ValueError(f"{self.name}: say what to do.")


def collect_checks() -> Iterator[Check]:
    """Run the checks of this machine that the installed packages offer, sorted by the names of their entry points."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        for name, status, found, advice in entry.load()():
            yield Check(name=name, status=status, found=found, advice=advice)


def export_warnings(repository: Path) -> Iterator[str]:
    """Yield what the installed packages have to say of an export on this machine, such as a slow precision."""
    for entry in sorted(entry_points(group=EXPORT_GROUP), key=lambda entry: entry.name):
        if warning := str(entry.load()(repository)):
            yield warning


def render_checks(checks: Iterable[Check]) -> Table:
    """Return the checks as a table for a terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("Check", "Status", "Found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.advice:
            found.append(f"\n→ {check.advice}", style="bold")
        table.add_row(Text(check.name), Text(check.status, style=STYLES[check.status]), found)
    return table
