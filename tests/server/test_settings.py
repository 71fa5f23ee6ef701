"""What is loaded at start, further options of ``tritonserver``, and what callers may not do."""

import json
import os
import signal
import stat
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from panecho_server import ServerSettings, StartError, TritonServer
from support.raw_requests import grpc_answers, http_status
from support.serve import running_server

UPLOADED = "uploaded"
CONFIG = {
    "backend": "python",
    "input": [{"name": "asked", "data_type": "TYPE_FP32", "dims": [1]}],
    "output": [{"name": "answered", "data_type": "TYPE_FP32", "dims": [1]}],
    "instance_group": [{"kind": "KIND_CPU"}],
}

METHODS = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
CLOSED_METHODS = {
    "RepositoryIndex",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
    "SystemSharedMemoryStatus",
    "SystemSharedMemoryRegister",
    "SystemSharedMemoryUnregister",
    "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister",
    "CudaSharedMemoryUnregister",
    "TraceSetting",
    "LogSettings",
}
CLOSED_PATHS = (
    "POST /v2/repository/index",
    "POST /v2/repository/models/image_encoder/load",
    "POST /v2/repository/models/panecho/unload",
    "GET /v2/systemsharedmemory/status",
    "POST /v2/systemsharedmemory/region/r/register",
    "POST /v2/systemsharedmemory/unregister",
    "GET /v2/cudasharedmemory/status",
    "POST /v2/cudasharedmemory/region/r/register",
    "POST /v2/cudasharedmemory/unregister",
    "GET /v2/trace/setting",
    "POST /v2/models/panecho/trace/setting",
    "GET /v2/logging",
    "POST /v2/logging",
)


def settings_of(cold_repository: Path, log_file: Path, **others: object) -> ServerSettings:
    ports = {"http_port": 0, "grpc_port": 0, "metrics_port": 0}
    return ServerSettings(model_repository=cold_repository, log_file=log_file, **ports, **others)  # type: ignore[arg-type] # any field


@pytest.fixture(scope="module")
def on_a_network(cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server on every network of this machine, with one more model and two options."""
    settings = settings_of(
        cold_repository,
        tmp_path_factory.mktemp("log") / "tritonserver.log",
        host="0.0.0.0",  # noqa: S104 - that is what is tested
        load=("doubling",),
        options={"exit-timeout-secs": "7", "allow-metrics": "false"},
    )
    with running_server(settings) as running:
        yield running


@pytest.mark.slow
def test_only_what_is_named_is_loaded_at_start(on_a_network: TritonServer) -> None:
    assert on_a_network.is_ready("panecho")
    assert on_a_network.is_ready("doubling")
    assert not on_a_network.is_ready("image_encoder")


@pytest.mark.slow
def test_options_come_last(on_a_network: TritonServer) -> None:
    log = on_a_network.settings.log_file.read_text()
    assert [line.split()[3] for line in log.splitlines() if line.startswith("| exit_timeout ")] == ["7"]
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{on_a_network.metrics_port}/metrics", timeout=10)


@pytest.mark.slow
def test_nobody_on_a_network_loads_models_over_grpc(on_a_network: TritonServer) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{on_a_network.grpc_port}") as client:
        for change in (client.load_model, client.unload_model):
            with pytest.raises(InferenceServerException, match="restricted"):
                change("image_encoder")
    assert not on_a_network.is_ready("image_encoder")


def upload(server: TritonServer, proof: Path) -> int:
    """Send a model whose code writes ``proof``; return the HTTP status."""
    code = f"open({str(proof)!r}, 'w').close()\nclass TritonPythonModel:\n    def execute(self, requests): return []\n"
    parameters = {"config": json.dumps(CONFIG), "file:1/model.py": b64encode(code.encode()).decode()}
    address = f"http://127.0.0.1:{server.http_port}/v2/repository/models/{UPLOADED}/load"
    request = urllib.request.Request(address, json.dumps({"parameters": parameters}).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_nobody_uploads_a_model_over_http(on_a_network: TritonServer, server: TritonServer, tmp_path: Path) -> None:
    """Not even where model control is on: a web page could send this."""
    for running in (on_a_network, server):
        assert upload(running, tmp_path / "proof") == 403
        assert not (tmp_path / "proof").exists()


def refused_methods(url: str) -> set[str]:
    """Send an empty message to every method; return those that say that they are closed."""
    refused = set()
    with grpc.insecure_channel(url) as channel:
        for name, method in METHODS.items():
            path = f"/inference.GRPCInferenceService/{name}"
            try:
                if method.client_streaming:
                    list(channel.stream_stream(path)(iter([b""]), timeout=10))
                else:
                    channel.unary_unary(path)(b"", timeout=10)
            except grpc.RpcError as error:
                if "This protocol is restricted" in error.details():
                    refused.add(name)
    return refused


@pytest.mark.slow
def test_apis_that_no_prediction_needs_are_closed(on_a_network: TritonServer) -> None:
    assert refused_methods(f"127.0.0.1:{on_a_network.grpc_port}") == CLOSED_METHODS
    assert {http_status(on_a_network.http_port, call) for call in CLOSED_PATHS} == {403}


def test_settings_open_apis_over_grpc_alone(server: TritonServer) -> None:
    assert refused_methods(server.grpc_url) == {"TraceSetting", "LogSettings"}
    assert {http_status(server.http_port, call) for call in CLOSED_PATHS} == {403}


@pytest.mark.slow
def test_what_other_users_read_on_the_command_line_opens_nothing(on_a_network: TritonServer) -> None:
    command = Path(f"/proc/{on_a_network.pid}/cmdline").read_bytes().decode().split("\0")
    http, grpc_ = (part.partition(":")[2] for part in command if "-restricted-" in part)
    name, _, value = http.partition("=")
    assert http_status(on_a_network.http_port, "GET /v2/logging", f"{name}: {value}") != 200
    for part in value.splitlines():
        assert http_status(on_a_network.http_port, "GET /v2/logging", f"{name}: {part}") in (400, 403)
    name, _, value = grpc_.partition("=")
    assert grpc_answers(on_a_network.grpc_port, "ServerLive", ("a", "b"))
    assert not grpc_answers(on_a_network.grpc_port, "LogSettings", (f"triton-grpc-protocol-{name}", value))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"host": "0.0.0.0", "shared_memory": True}, "would let everybody there use this machine's memory"),  # noqa: S104 - as above
        ({"tls_certificate": Path(__file__)}, "both a certificate and its key"),
        ({"tls_client_ca": Path(__file__)}, "--tls-client-ca goes with --tls-certificate"),
        ({"tls_certificate": Path("no.pem"), "tls_key": Path(__file__)}, r"no\.pem: no such file"),
        ({"tls_certificate": Path(__file__), "tls_key": Path(__file__)}, "are no certificate and its private key"),
    ],
)
def test_settings_that_would_not_protect_are_refused(
    cold_repository: Path, tmp_path: Path, settings: dict[str, object], says: str
) -> None:
    with pytest.raises(StartError, match=says):
        TritonServer(settings_of(cold_repository, tmp_path / "log", **settings))


def test_model_control_stays_on_this_machine(cold_repository: Path, tmp_path: Path) -> None:
    settings = settings_of(cold_repository, tmp_path / "log", host="0.0.0.0", model_control=True)  # noqa: S104 - as above
    with pytest.raises(StartError, match="run code"):
        TritonServer(settings)


def test_an_unknown_option_is_named(cold_repository: Path, tmp_path: Path) -> None:
    settings = settings_of(cold_repository, tmp_path / "log", options={"no-such-option": "1"})
    with pytest.raises(StartError, match="unrecognized option '--no-such-option=1'"):
        TritonServer(settings).start()


@pytest.mark.slow
def test_memory_that_holds_studies_is_for_the_servers_user_alone(on_a_network: TritonServer) -> None:
    regions = on_a_network.shared_memory.regions()
    assert len(regions) >= 4  # two instances of preprocessing, one of each other model
    assert {stat.S_IMODE(region.stat().st_mode) for region in regions} == {0o600}


@pytest.mark.slow
def test_a_killed_server_leaves_no_memory_behind(cold_repository: Path, tmp_path: Path) -> None:
    with TritonServer(settings_of(cold_repository, tmp_path / "log")) as killed:
        assert killed.pid
        regions = killed.shared_memory.regions()
        os.kill(killed.pid, signal.SIGKILL)
    assert regions
    assert [region for region in regions if region.exists()] == []
