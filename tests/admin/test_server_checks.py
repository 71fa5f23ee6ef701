"""``panecho doctor`` and ``panecho models``, against the real server and against none."""

import shutil
import socket
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from panecho_admin.commands import doctor, models
from panecho_admin.model_status import MODELS, StatusClient
from panecho_admin.server_checks import Check, server_checks
from panecho_client import ClipOptions, Connection, PanEcho, RequestError, ServerUnavailableError
from panecho_server import PlatformError, TritonServer, wheel
from panecho_server import checks as server_machine
from panecho_server.settings import DEFAULT_GRPC_PORT

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command("doctor")(doctor)
    app.command("models")(models)
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def quick(url: str) -> Connection:
    return Connection(url=url, timeout=5)


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def local() -> dict[str, Check]:
    return by_name(server_machine.local_checks())


def test_a_server_is_checked(server: TritonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # must not come between
    checks = by_name(server_checks(quick(server.grpc_url)))
    assert all(check.status == "ok" for name, check in checks.items() if name != "weights")
    assert [name for name in checks if name.startswith("model ")] == [f"model {name}" for name in MODELS]
    assert checks["server"].found.startswith("Triton 2.")
    assert "statistics" in checks["server"].found
    assert "version 1" in checks["model backbone"].found
    assert checks["tasks"].found == "40"
    assert checks["weights"].status == "warning"
    assert "stand-in" in checks["weights"].found
    assert "--checkpoint" in checks["weights"].advice


def test_doctor_passes_on_this_machine_with_a_server(server: TritonServer) -> None:
    result = invoke("doctor", "--url", server.grpc_url)
    assert result.exit_code == 0, result.output
    assert "libpython" in result.stdout
    assert "tritonclient 2." in result.stdout


def test_doctor_without_an_address_asks_no_server() -> None:
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    assert "tasks" not in result.stdout


def test_doctor_fails_where_nothing_listens(unused_url: str) -> None:
    result = invoke("doctor", "--url", unused_url)
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "→ start one with `panecho serve`" in result.stdout


@pytest.mark.parametrize("command", ["doctor", "models"])
def test_an_http_address_is_refused(command: str) -> None:
    result = invoke(command, "--url", "http://127.0.0.1:8000")
    assert result.exit_code == 1
    assert "give host:port" in result.stderr


def test_models_are_shown_with_what_they_did(server: TritonServer, cine: Path) -> None:
    with StatusClient(quick(server.grpc_url)) as client:
        before = client.model("backbone")
        with PanEcho(server.grpc_url) as panecho:
            panecho.predict_study(cine, tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=2))
        after = client.model("backbone")
    assert after.requests == before.requests + 1
    assert after.executions > before.executions
    result = invoke("models", "--url", server.grpc_url)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [[name, "yes", "1"] for name in MODELS]


def test_models_where_nothing_listens(unused_url: str) -> None:
    result = invoke("models", "--url", unused_url)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "panecho serve" in result.stderr


def test_a_model_that_is_not_there_is_not_ready(server: TritonServer) -> None:
    with StatusClient(quick(server.grpc_url)) as client:
        model = client.model("nobody")
    assert (model.ready, model.reason) == (False, "no such model")


def test_status_of_nothing_is_an_error_of_ours(unused_url: str) -> None:
    with StatusClient(quick(unused_url)) as client, pytest.raises(ServerUnavailableError):
        client.model("backbone")
    with pytest.raises(RequestError, match="gRPC"):
        StatusClient(quick(f"http://{unused_url}"))


def test_a_complaint_without_advice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="say what to do"):
        Check(name="x", status="failed", found="broken")


@pytest.mark.parametrize("name", ["check_platform", "find_wheel", "find_libpython"])
def test_what_the_server_lacks_comes_with_its_remedy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise PlatformError("something is missing; others need it. On Debian: apt-get install something.")

    monkeypatch.setattr(wheel, name, fail)
    (failed,) = (check for check in local().values() if check.status == "failed")
    assert failed.found == "something is missing"
    assert "apt-get install something" in failed.advice


@pytest.mark.parametrize(("free", "status"), [(10**6, "failed"), (512 * 2**20, "warning")])
def test_little_room_is_said(free: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 0, free))
    check = local()["shared memory"]
    assert check.status == status
    assert "--shm-size" in check.advice
    assert (local()["disk"].status == "failed") == (status == "failed")


def test_no_shared_memory_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server_machine, "SHARED_MEMORY", tmp_path / "none")
    assert "Mount a tmpfs" in local()["shared memory"].advice


def test_a_machine_with_the_client_alone_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_machine, "find_spec", lambda _name: None)
    checks = local()
    assert list(checks) == ["Python", "packages", "embedded server"]
    assert "panecho-triton[server]" in checks["embedded server"].advice
    assert all(check.status == "ok" for check in checks.values())


def test_numpy_2_beside_the_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_machine, "_version", lambda _name: "2.1.0")
    assert local()["numpy"].status == "failed"


def test_another_program_on_a_port_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr("panecho_server.settings.DEFAULT_HTTP_PORT", port)
        check = local()["HTTP port"]
    assert check.status == "warning"
    assert "next free port" in check.advice


def test_a_server_on_the_default_ports_is_recognised(server: TritonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc", "http", "metrics"):
        monkeypatch.setattr(f"panecho_server.settings.DEFAULT_{name.upper()}_PORT", getattr(server, f"{name}_port"))
    checks = local()
    assert all("a Triton server answers" in checks[f"{name} port"].found for name in ("gRPC", "HTTP", "metrics"))
    assert DEFAULT_GRPC_PORT == 8001


def fake_smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_smi(tmp_path, "print('NVIDIA H100 80GB HBM3, 580.82.07, 81559 MiB')", monkeypatch)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    checks = local()
    assert checks["GPU"].found == "NVIDIA H100 80GB HBM3, driver 580.82.07, 81559 MiB"
    assert checks["CUDA"].status == "warning"
    assert "driver" in checks["CUDA"].advice


def test_a_driver_that_fails_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_smi(tmp_path, "raise SystemExit(9)", monkeypatch)
    check = local()["GPU"]
    assert check.status == "warning"
    assert "nvidia-smi" in check.advice
