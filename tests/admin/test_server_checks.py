"""``panecho doctor`` and ``panecho models``, against the real server and against none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from panecho_admin.checks import Check
from panecho_admin.model_status import StatusClient
from panecho_admin.server_checks import server_checks
from panecho_client import ClipOptions, Connection, PanEcho, RequestError, ServerUnavailableError
from panecho_client.triton import MODELS
from panecho_server import TritonServer
from support.commands import invoke


def quick(url: str) -> Connection:
    return Connection(url=url, timeout=5)


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


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
