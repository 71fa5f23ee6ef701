"""Requests for classification are found however they are written."""

import json
import random

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from panecho_server.front_door.classification import Classification, in_grpc_message, in_http_header
from panecho_server.front_door.wire_format import WireError, fields
from support.wire_requests import gathered, study

WANTED = Classification("postprocessing", "1", frozenset({"video_status"}))


def request() -> service_pb2.ModelInferRequest:
    message = gathered(1, [0], 1, np.zeros((1, 58), np.float32))
    message.model_version = "1"
    message.outputs.add(name="EF").parameters["binary_data"].bool_param = True
    return message


def test_a_request_without_it_wants_nothing() -> None:
    assert in_grpc_message(request().SerializeToString()).outputs == frozenset()
    assert in_grpc_message(study(bytes(10**6), [10**6]).SerializeToString()) == Classification("panecho")
    assert in_grpc_message(b"") == Classification()


@pytest.mark.parametrize("value", ["bool_param", "int64_param", "string_param", "double_param", "uint64_param"])
def test_the_parameter_is_found_whatever_its_value(value: str) -> None:
    message = request()
    setattr(message.outputs.add(name="video_status").parameters["classification"], value, "1" if "str" in value else 1)
    assert in_grpc_message(message.SerializeToString()) == WANTED


def test_a_message_sent_in_another_order_is_read_as_protobuf_reads_it() -> None:
    """Fields may come in any order, and of a text that comes twice the last counts."""
    message = request()
    message.outputs.add(name="video_status").parameters["classification"].int64_param = 1
    before = service_pb2.ModelInferRequest(model_name="another", model_version="9").SerializeToString()
    parts = [service_pb2.ModelInferRequest(outputs=[output]).SerializeToString() for output in message.outputs]
    del message.outputs[:]
    sent = b"".join([before, *parts, message.SerializeToString()])
    assert service_pb2.ModelInferRequest.FromString(sent).outputs[1].name == "video_status"
    assert in_grpc_message(sent) == WANTED


def test_fields_are_those_that_protobuf_finds() -> None:
    message = request()
    found = [bytes(content) for number, content in fields(memoryview(message.SerializeToString())) if number == 7]
    assert found == list(message.raw_input_contents)


def test_what_is_no_message_is_refused_or_read_without_failing() -> None:
    good = bytearray(request().SerializeToString())
    chance = random.Random(0)  # noqa: S311 - no secret
    refused = 0
    for _ in range(3000):
        broken = bytearray(good[: chance.randrange(len(good))]) if chance.random() < 0.3 else bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            if broken:
                broken[chance.randrange(min(len(broken), 200))] = chance.randrange(256)
        try:
            in_grpc_message(bytes(broken))
        except ValueError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize(
    "message", [b"\x0b", b"\x0a", b"\x0a\x05ab", b"\xff" * 11, b"\x00\x00", b"\x07", b"\x32\x04\x12\x02\x0a\x05"]
)
def test_what_protobuf_would_not_read_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        in_grpc_message(message)


def header(text: str) -> Classification:
    return in_http_header(text.encode(), "postprocessing", "1")


def test_json_without_it_wants_nothing() -> None:
    assert header('{"outputs": [{"name": "EF", "parameters": {"binary_data": false}}]}').outputs == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        '{"outputs": [{"name": "video_status", "parameters": {"classification": 1}}]}',
        '{"outputs": [{"parameters": {"classification": 1}, "name": "video_status"}]}',
        r'{"outputs": [{"name": "video_status", "parameters": {"\u0063lassificatio\u006e": 1}}]}',
        r'{"\u006futputs": [{"\u006eame": "video_status", "p\u0061rameters": {"classification": 1}}]}',
        '{"outputs": [{"name": "video_status", "parameters": {"classification": 1}, "parameters": {}}]}',
        '{"outputs": [{"name": "video_status", "parameters": {"classification": 1}}], "outputs": []}',
        '{"outputs": [{"name": "EF"}, {"name": "video_status", "parameters": {"a": 0, "classification": 1}}]}',
    ],
)
def test_json_is_found_out_however_it_is_written(text: str) -> None:
    assert header(text) == WANTED


def test_of_two_names_both_are_looked_at() -> None:
    text = '{"outputs": [{"name": "video_status", "name": "EF", "parameters": {"classification": 1}}]}'
    assert header(text).outputs == {"video_status", "EF"}


@pytest.mark.parametrize(
    "text", ['{"classification": ', "classification", '{"classification": 1} {}', "\x00classification"]
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        header(text)


def test_long_text_is_only_searched() -> None:
    text = json.dumps({"inputs": [{"name": "video_bytes", "data": [7] * 1000}]})
    assert header(text).outputs == frozenset()
