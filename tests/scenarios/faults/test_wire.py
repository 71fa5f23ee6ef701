"""Malformed requests: each is refused with what is wrong, and the server is as before."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2_grpc

from panecho_server import TritonServer
from panecho_server.settings import MODELS
from support.wire import QUICK, infer_study
from support.wire_requests import Wrong, WrongRequests

COUNT = 5000
AT_ONCE = 100
SENDERS = 4


@pytest.fixture
def stub(server: TritonServer) -> Iterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(server.grpc_url, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def fault(stub: service_pb2_grpc.GRPCInferenceServiceStub, wrong: Wrong) -> str:
    """Return what is wrong with the server's answer, "" if nothing is."""
    try:
        stub.ModelInfer(wrong.message, timeout=60)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT and wrong.field in error.details():
            return ""
        return f"{wrong.name}: {error.code().name}, {error.details()[:200]} does not name {wrong.field}"
    return f"{wrong.name}: answered"


@pytest.mark.slow
def test_malformed_requests_are_refused_and_name_what_is_wrong(
    server: TritonServer, stub: service_pb2_grpc.GRPCInferenceServiceStub, cine: Path
) -> None:
    content = cine.read_bytes()
    with triton.InferenceServerClient(server.grpc_url) as client:
        before = infer_study(client, triton, [content], ["EF"], QUICK)
        source = WrongRequests(content, seed=0)
        faults: Counter[str] = Counter()
        with ThreadPoolExecutor(SENDERS) as pool:
            for _ in range(COUNT // AT_ONCE):
                drawn = [source.draw() for _ in range(AT_ONCE)]
                faults.update(filter(None, pool.map(lambda wrong: fault(stub, wrong), drawn)))
        assert faults == {}
        assert all(server.is_ready(model) for model in MODELS)
        after = infer_study(client, triton, [content], ["EF"], QUICK)
    np.testing.assert_allclose(after["EF"], before["EF"], rtol=0, atol=1e-4)
