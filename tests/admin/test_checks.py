"""Results of checks, and the entry points that they are collected from."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from panecho_admin import checks
from panecho_admin.checks import Check, collect_checks


def test_a_complaint_without_advice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="say what to do"):
        Check(name="x", status="failed", found="broken")


def test_the_server_package_offers_its_checks() -> None:
    found = {check.name for check in collect_checks()}
    assert {"platform", "tritonserver", "libpython", "disk", "shared memory", "gRPC port"} <= found


def two_findings() -> Iterator[tuple[str, str, str, str]]:
    yield ("first", "ok", "there", "")
    yield ("second", "failed", "broken", "Mend it.")


def test_checks_of_other_packages_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("other", f"{__name__}:two_findings", checks.GROUP)
    monkeypatch.setattr(checks, "entry_points", lambda group: [entry] if group == checks.GROUP else [])
    monkeypatch.setattr(EntryPoint, "load", lambda _entry: two_findings)
    assert list(collect_checks()) == [
        Check(name="first", status="ok", found="there"),
        Check(name="second", status="failed", found="broken", advice="Mend it."),
    ]
