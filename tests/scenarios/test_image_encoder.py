"""The image encoder by itself: loaded and unloaded while the server runs, over both transports."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from panecho_server import ServerSettings, TritonServer
from support.reference_clips import uint8_clip
from support.serve import running_server

MODEL = "image_encoder"
TOLERANCE = 1e-4
UNLOAD_SECONDS = 30
GOLDEN = Path(__file__).parents[1] / "model" / "data" / "golden_seed0.npz"


@pytest.fixture(scope="module")
def started(cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server as ``panecho serve --model-control`` starts it: the image encoder is not loaded."""
    log_file = tmp_path_factory.mktemp("log") / "tritonserver.log"
    settings = ServerSettings(
        model_repository=cold_repository,
        model_control=True,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=log_file,
    )
    with running_server(settings) as running:
        yield running


def embed(client: object, module: ModuleType, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    tensor = module.InferInput("frames", list(frames.shape), "UINT8")
    tensor.set_data_from_numpy(frames)
    result = client.infer(MODEL, [tensor])  # type: ignore[attr-defined] # tritonclient's two clients share no type
    embedding: NDArray[np.float32] = result.as_numpy("frame_embedding")
    return embedding


def processes(server: TritonServer) -> set[int]:
    return {process.pid for process in psutil.Process(server.pid).children(recursive=True)}


def wait_until_unloaded(server: TritonServer, before: set[int]) -> None:
    deadline = time.monotonic() + UNLOAD_SECONDS
    while processes(server) != before:
        assert time.monotonic() < deadline, "the unloaded model's process is still there"
        time.sleep(0.1)


@pytest.mark.slow
def test_loaded_on_demand_it_gives_the_published_numbers(started: TritonServer) -> None:
    frames = uint8_clip(16)[0, :3]
    before = processes(started)
    with (
        tritonclient.grpc.InferenceServerClient(started.grpc_url) as client,
        tritonclient.http.InferenceServerClient(started.http_url) as over_http,
        np.load(GOLDEN) as golden,
    ):
        assert not client.is_model_ready(MODEL)
        with pytest.raises(InferenceServerException, match=f"unknown model: '{MODEL}'"):
            embed(client, tritonclient.grpc, frames)
        client.load_model(MODEL)
        assert len(processes(started) - before) == 1
        together = embed(client, tritonclient.grpc, frames)
        np.testing.assert_allclose(together[:1], golden["uint8_first_frame_embedding"], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(
            embed(over_http, tritonclient.http, frames[2:]), together[2:], rtol=0, atol=TOLERANCE
        )
        assert np.abs(together[0] - together[2]).max() > 10 * TOLERANCE
        client.unload_model(MODEL)
        wait_until_unloaded(started, before)
        assert not client.is_model_ready(MODEL)
        assert client.is_server_ready()


@pytest.mark.slow
def test_it_says_whose_weights_it_has(started: TritonServer) -> None:
    before = processes(started)
    with tritonclient.grpc.InferenceServerClient(started.grpc_url) as client:
        client.load_model(MODEL)
        parameters = client.get_model_config(MODEL).config.parameters
        client.unload_model(MODEL)
    wait_until_unloaded(started, before)
    assert json.loads(parameters["weights"].string_value)["notice"] == started.weights_notice()
