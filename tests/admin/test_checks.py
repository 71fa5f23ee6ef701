"""Results of checks, and the entry points that they are collected from."""

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from panecho_admin import checks
from panecho_admin.checks import Check, collect_checks
from panecho_server import precision
from support.commands import invoke


def test_a_complaint_without_advice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="say what to do"):
        Check(name="x", status="failed", found="broken")


def test_the_server_package_offers_its_checks() -> None:
    found = {check.name for check in collect_checks()}
    assert {"platform", "tritonserver", "libpython", "disk", "shared memory", "gRPC port"} <= found


def test_a_precision_that_this_machine_computes_slowly_is_said_before_a_rollout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_url: str
) -> None:
    (tmp_path / "panecho").mkdir()
    manifest = json.dumps(json.dumps({"precision": "bf16"}))
    config = f'parameters {{ key: "manifest" value {{ string_value: {manifest} }} }}'
    (tmp_path / "panecho/config.pbtxt").write_text(config)
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2")
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "GPU", tmp_path / "no GPU")
    said = invoke("models", "deploy", tmp_path, "--url", unused_url)
    assert said.exit_code == 1
    assert "was exported as bf16, which this processor does not compute in hardware" in said.stderr
    assert "panecho export --precision fp32" in said.stderr
    (tmp_path / "cpuinfo").write_text("flags : fpu avx512_bf16")
    assert "bf16" not in invoke("models", "deploy", tmp_path, "--url", unused_url).stderr


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
