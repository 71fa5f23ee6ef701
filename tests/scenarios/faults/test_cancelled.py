"""Work whose caller has gone is dropped at the next file or model; what others wait for is finished."""

import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import tritonclient.grpc as triton

from panecho_server import TritonServer
from support.cines import different_cines
from support.wire import infer_study, study_inputs

SECONDS = 60
SMALL: dict[str, int | str] = {"num_clips": 1, "clip_length": 1}


class Sent:
    """A request of which the caller need not await the end."""

    def __init__(self, client: triton.InferenceServerClient, model: str, files: list[bytes]) -> None:
        self._done = Event()
        self._error: Exception | None = None
        self._context = client.async_infer(
            model, study_inputs(triton, files), self._finished, parameters={"num_clips": 1}
        )

    def _finished(self, result: object, error: Exception | None) -> None:  # noqa: ARG002 - as tritonclient calls it
        self._error = error
        self._done.set()

    def cancel(self) -> None:
        self._context.cancel()

    def error(self) -> str:
        """Return what the request failed with, "" if it did not."""
        assert self._done.wait(SECONDS)
        return str(self._error or "")


@pytest.fixture
def client(server: TritonServer) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.grpc_url) as opened:
        yield opened


def metric(server: TritonServer, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE))


def cancelled_in_time(
    server: TritonServer, client: triton.InferenceServerClient, model: str, cine: Path, name: str
) -> bool:
    """Cancel a request of many files until the server counts it; a busy machine takes a while to receive them."""
    before, files = metric(server, name), different_cines(cine.read_bytes(), 120)
    for seconds in (0.2, 0.4, 0.8, 1.6, 3.2):
        sent = Sent(client, model, files)
        time.sleep(seconds)
        sent.cancel()
        assert "ancel" in sent.error()
        deadline = time.monotonic() + 3 + seconds
        while time.monotonic() < deadline:
            if metric(server, name) > before:
                return True
            time.sleep(0.1)
    return False


@pytest.mark.slow
def test_preprocessing_stops_before_the_next_file(
    server: TritonServer, client: triton.InferenceServerClient, cine: Path
) -> None:
    stopped = 'panecho_requests_total{model="preprocessing",outcome="cancelled"}'
    assert cancelled_in_time(server, client, "preprocessing", cine, stopped)


@pytest.mark.slow
def test_a_cancelled_study_never_reaches_the_backbone(
    server: TritonServer, client: triton.InferenceServerClient, cine: Path
) -> None:
    dropped = 'nv_inference_request_failure{model="backbone",reason="CANCELED",version="1"}'
    computed = 'nv_inference_count{model="backbone",version="1"}'
    expected = infer_study(client, triton, [cine.read_bytes()], ["EF"], SMALL)
    before = metric(server, computed)
    assert cancelled_in_time(server, client, "panecho", cine, dropped)
    after = infer_study(client, triton, [cine.read_bytes()], ["EF"], SMALL)
    assert metric(server, computed) == before + 1
    assert after["EF"] == pytest.approx(expected["EF"], abs=1e-4)
