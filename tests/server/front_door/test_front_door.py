"""A real server behind its front door: what would end it is refused, and everything else passes as it was."""

import gzip
import json
import random
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from panecho_server import TritonServer
from support.wire import QUICK
from support.wire_requests import gathered, study

INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
INPUTS = [
    {"name": "logits", "datatype": "FP32", "shape": [1, 58], "data": [0.0] * 58},
    {"name": "clip_embedding", "datatype": "FP32", "shape": [1, 768], "data": [0.0] * 768},
    {"name": "clip_video", "datatype": "INT32", "shape": [1], "data": [0]},
    {"name": "video_status", "datatype": "BYTES", "shape": [1], "data": ["ok"]},
]
REFUSED = "the output 'video_status' of the model 'postprocessing' is text, which has no classes"
COUNTS = (0, 1, -1, 2, 58, 2**31 - 1, 2**31, 2**32, 2**63 - 1, -(2**63))


@pytest.fixture
def unharmed(server: TritonServer) -> Iterator[TritonServer]:
    """The server; its process must be the same afterwards."""
    before = server.pid
    yield server
    assert (server.pid, server.is_running(), server.is_listening()) == (before, True, True)
    assert answer(server, wants("EF"))[0].startswith("OK")


def wants(output: str, **parameters: object) -> service_pb2.ModelInferRequest:
    message = gathered(1, [0], 1, np.zeros((1, 58), np.float32))
    requested = message.outputs.add(name=output)
    for name, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}[type(value)]
        setattr(requested.parameters[name], kind, value)
    return message


def answer(server: TritonServer, message: service_pb2.ModelInferRequest) -> tuple[str, str]:
    """Return the status, and the details or the type of the first output."""
    with grpc.insecure_channel(server.grpc_url) as channel:
        try:
            content = channel.unary_unary(INFER)(message.SerializeToString(), timeout=30)
        except grpc.RpcError as error:
            return error.code().name, error.details()
    return "OK", str(service_pb2.ModelInferResponse.FromString(content).outputs[0].datatype)


def post(server: TritonServer, outputs: object, **headers: str) -> tuple[int, str]:
    body = json.dumps({"inputs": INPUTS, "outputs": outputs}).encode()
    return post_body(server, gzip.compress(body) if "Content_Encoding" in headers else body, headers)


def post_body(server: TritonServer, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://{server.http_url}/v2/models/postprocessing/infer",
        body,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own server
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


def test_classes_of_a_text_are_refused_over_grpc(unharmed: TritonServer) -> None:
    status, details = answer(unharmed, wants("video_status", classification=1))
    assert (status, details.partition(";")[0]) == ("INVALID_ARGUMENT", REFUSED)


def test_classes_of_a_text_are_refused_in_a_stream(unharmed: TritonServer) -> None:
    with grpc.insecure_channel(unharmed.grpc_url) as channel:
        message = wants("video_status", classification=1).SerializeToString()
        with pytest.raises(grpc.RpcError, match="which has no classes"):
            list(channel.stream_stream(STREAM_INFER)(iter([message]), timeout=30))
        message = wants("EF", classification=1).SerializeToString()
        (first,) = channel.stream_stream(STREAM_INFER)(iter([message]), timeout=30)
        assert service_pb2.ModelStreamInferResponse.FromString(first).infer_response.outputs[0].datatype == "BYTES"


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}])
def test_classes_of_a_text_are_refused_over_http(unharmed: TritonServer, headers: dict[str, str]) -> None:
    status, text = post(unharmed, [{"name": "video_status", "parameters": {"classification": 1}}], **headers)
    assert (status, text.partition(";")[0]) == (400, REFUSED)


def test_classes_of_numbers_are_answered(unharmed: TritonServer) -> None:
    assert answer(unharmed, wants("AVStenosis", classification=3)) == ("OK", "BYTES")
    status, text = post(unharmed, [{"name": "AVStenosis", "parameters": {"classification": 3}}])
    found = [value.split(":")[1:] for value in json.loads(text)["outputs"][0]["data"]]
    assert (status, sorted(found)) == (200, [["0", "Mild|Moderate"], ["1", "None"], ["2", "Severe"]])


def test_classes_of_a_study_have_names(unharmed: TritonServer, cine: Path) -> None:
    message = study(cine.read_bytes(), [cine.stat().st_size])
    message.outputs.add(name="AVStenosis").parameters["classification"].int64_param = 1
    for name, value in QUICK.items():
        message.parameters[name].int64_param = int(value)
    with grpc.insecure_channel(unharmed.grpc_url) as channel:
        content = channel.unary_unary(INFER)(message.SerializeToString(), timeout=60)
    (best,) = service_pb2.ModelInferResponse.FromString(content).raw_output_contents
    assert best[4:].decode().split(":")[2] in ("Mild|Moderate", "None", "Severe")


def test_no_parameter_of_a_requested_output_ends_the_server(unharmed: TritonServer) -> None:
    """Drawn at random, as inputs are elsewhere: names, types, empty and huge values, on numbers and on texts."""
    chance = random.Random(0)  # noqa: S311 - no secret
    names = (
        "classification",
        "binary_data",
        "binary_data_size",
        "shared_memory_region",
        "shared_memory_byte_size",
        "x",
    )
    values: tuple[object, ...] = (*COUNTS, True, False, "", "1", "x" * 1000, 1.5)
    seen: Counter[str] = Counter()
    for _ in range(400):
        parameters = {name: chance.choice(values) for name in chance.sample(names, chance.randrange(1, 3))}
        output = chance.choice(("video_status", "EF", "video/EF", "embedding", "clip_video", "nothing", ""))
        status, details = answer(unharmed, wants(output, **parameters))
        seen[status] += 1
        assert status in ("OK", "INVALID_ARGUMENT", "NOT_FOUND"), (output, parameters, details)
    assert seen["OK"] > 50
    assert seen["INVALID_ARGUMENT"] > 50


def test_no_json_of_a_requested_output_ends_the_server(unharmed: TritonServer) -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    values: tuple[Any, ...] = (*COUNTS, 2**64, True, None, "1", [1], {"a": 1}, 1e300)
    for _ in range(200):
        parameters = {chance.choice(("classification", "binary_data", "binary_data_size", "x")): chance.choice(values)}
        output = chance.choice(("video_status", "EF", "embedding", "nothing", "", 7))
        status, text = post(unharmed, [{"name": output, "parameters": parameters}])
        assert status in (200, 400, 500), text  # 500: Triton's own for a parameter of another type


def chunked(body: bytes, size: int) -> bytes:
    """Return a request in chunks."""
    head = "POST /v2/models/postprocessing/infer HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_body_in_very_many_chunks_is_answered(unharmed: TritonServer) -> None:
    """Of a million small ones, Triton before 25.07 overflows its stack (CVE-2025-23310, -23311)."""
    body = json.dumps({"inputs": INPUTS, "outputs": [{"name": "EF"}]}).encode() + b" " * 2_000_000
    with socket.create_connection(("127.0.0.1", unharmed.http_port), timeout=60) as connection:
        connection.sendall(chunked(body, 2))
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("lengths", [["-1"], ["9" * 30], ["x"], ["10", "20"], ["99999999"]])
def test_a_length_of_the_json_that_is_none_is_refused(unharmed: TritonServer, lengths: list[str]) -> None:
    body = json.dumps({"inputs": INPUTS}).encode()
    head = f"POST /v2/models/postprocessing/infer HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"Inference-Header-Content-Length: {length}\r\n" for length in lengths)
    with socket.create_connection(("127.0.0.1", unharmed.http_port), timeout=30) as connection:
        connection.sendall(head.encode() + b"\r\n" + body)
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_headers_status_and_trailing_metadata_pass(unharmed: TritonServer) -> None:
    with grpc.insecure_channel(unharmed.grpc_url) as channel:
        live, call = channel.unary_unary("/inference.GRPCInferenceService/ServerLive").with_call(b"", timeout=30)
        assert (live, call.code()) == (b"\x08\x01", grpc.StatusCode.OK)
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/no.Such/Method")(b"", timeout=30)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    with urllib.request.urlopen(f"http://{unharmed.http_url}/v2/health/ready", timeout=30) as response:
        assert response.status == 200
    with urllib.request.urlopen(f"http://{unharmed.http_url}/v2/models/panecho", timeout=30) as response:
        assert json.loads(response.read())["name"] == "panecho"
