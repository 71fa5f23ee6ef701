"""HTTP against gRPC, and callers that vanish."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from panecho_server import TritonServer
from panecho_server.settings import MODELS
from support import wire
from support.wire import QUICK, infer_study

IMPATIENT_CALLER = """
import sys
sys.path.insert(0, {folder!r})
import tritonclient.grpc as triton
from support.wire import infer_study
data = open({cine!r}, "rb").read()
print("sending", flush=True)
infer_study(triton.InferenceServerClient({url!r}), triton, [data], parameters={{"num_clips": 8}})
print("answered", flush=True)
"""


def test_http_gives_the_same_numbers_as_grpc(server: TritonServer, cine: Path) -> None:
    files = [cine.read_bytes(), b"no video"]
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        grpc = infer_study(client, tritonclient.grpc, files, parameters=QUICK)
    with tritonclient.http.InferenceServerClient(server.http_url) as client:
        http = infer_study(client, tritonclient.http, files, parameters=QUICK)
    assert set(http) == set(grpc)
    texts = {"video_status", "video_digest"}
    assert all(http[name].tolist() == grpc[name].tolist() for name in texts)
    for name in set(grpc) - texts:
        np.testing.assert_array_equal(http[name], grpc[name], err_msg=name)


@pytest.mark.slow
def test_a_killed_client_leaves_the_server_healthy(server: TritonServer, cine: Path) -> None:
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        before = infer_study(client, tritonclient.grpc, [cine.read_bytes()], ["EF"], QUICK)
        script = IMPATIENT_CALLER.format(
            folder=str(Path(wire.__file__).parents[1]), cine=str(cine), url=server.grpc_url
        )
        caller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert caller.stdout is not None
        assert caller.stdout.readline() == "sending\n"
        _wait_until_executing(client)
        caller.kill()
        assert "answered" not in caller.communicate()[0]
        assert all(server.is_ready(model) for model in MODELS)
        after = infer_study(client, tritonclient.grpc, [cine.read_bytes()], ["EF"], QUICK)
        assert after["EF"] == before["EF"]


def _wait_until_executing(client: tritonclient.grpc.InferenceServerClient) -> None:
    """Wait until the caller's study has been decoded and its clips are in the backbone."""
    decoded = _executions(client, "preprocessing")
    deadline = time.monotonic() + 30
    while _executions(client, "preprocessing") == decoded:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _executions(client: tritonclient.grpc.InferenceServerClient, model: str) -> int:
    statistics = client.get_inference_statistics(model, as_json=True)
    return int(statistics["model_stats"][0].get("execution_count", 0))
