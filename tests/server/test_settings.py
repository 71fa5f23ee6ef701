"""What is loaded at start, what ``tritonserver`` is told besides, and what a network may not do."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from panecho_server import Settings, StartError, TritonServer

UPLOADED = "uploaded"
CONFIG = {
    "backend": "python",
    "input": [{"name": "asked", "data_type": "TYPE_FP32", "dims": [1]}],
    "output": [{"name": "answered", "data_type": "TYPE_FP32", "dims": [1]}],
    "instance_group": [{"kind": "KIND_CPU"}],
}


def settings_of(cold_repository: Path, log_file: Path, **others: object) -> Settings:
    ports = {"http_port": 0, "grpc_port": 0, "metrics_port": 0}
    return Settings(model_repository=cold_repository, log_file=log_file, **ports, **others)  # type: ignore[arg-type] # any field


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
    with TritonServer(settings) as running:
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


def test_model_control_stays_on_this_machine(cold_repository: Path, tmp_path: Path) -> None:
    settings = settings_of(cold_repository, tmp_path / "log", host="0.0.0.0", model_control=True)  # noqa: S104 - as above
    with pytest.raises(StartError, match="run code"):
        TritonServer(settings)


def test_an_unknown_option_is_named(cold_repository: Path, tmp_path: Path) -> None:
    settings = settings_of(cold_repository, tmp_path / "log", options={"no-such-option": "1"})
    with pytest.raises(StartError, match="unrecognized option '--no-such-option=1'"):
        TritonServer(settings).start()
