"""Checks of Python, packages and GPU."""

import sys
from pathlib import Path

import pytest

from panecho_admin import machine_checks
from panecho_admin.checks import Check


def found() -> dict[str, Check]:
    return {check.name: check for check in machine_checks.machine_checks()}


def test_a_machine_without_torch_needs_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "find_spec", lambda _name: None)
    assert list(found()) == ["Python", "packages"]
    assert all(check.status == "ok" for check in found().values())


def test_packages_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "PACKAGES", ("numpy", "no-such-package"))
    assert "no-such-package not installed" in found()["packages"].found


def fake_smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_smi(tmp_path, "print('NVIDIA H100 80GB HBM3, 580.82.07, 81559 MiB')", monkeypatch)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    checks = found()
    assert checks["GPU"].found == "NVIDIA H100 80GB HBM3, driver 580.82.07, 81559 MiB"
    assert checks["CUDA"].status == "warning"
    assert "driver" in checks["CUDA"].advice


def test_a_driver_that_fails_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_smi(tmp_path, "raise SystemExit(9)", monkeypatch)
    check = found()["GPU"]
    assert check.status == "warning"
    assert "nvidia-smi" in check.advice
