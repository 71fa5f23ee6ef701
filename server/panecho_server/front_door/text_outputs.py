"""Refuses the classification of text outputs, which ends Triton before 25.08 with a division by zero (server #8267)."""

import grpc
import grpc.aio

from panecho_server.front_door.classification import Classification
from panecho_server.front_door.wire_format import fields

SERVICE = "/inference.GRPCInferenceService/"
FIXED = (2, 60)
"""Triton 25.08, the first version that refuses it itself."""

ANSWER_SECONDS = 10.0

# Fields of inference.ServerMetadataResponse, ModelMetadataRequest, ModelMetadataResponse and its TensorMetadata.
SERVER_VERSION = 2
NAME, VERSION = 1, 2
OUTPUTS = 5
TENSOR_NAME, TENSOR_DATATYPE = 1, 2


class RefusedError(Exception):
    """The request is not passed on.

    Attributes:
        code: gRPC's status code.
        details: What is wrong and what to do.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class TextOutputs:
    """Knows from ``tritonserver`` which outputs of a model are texts."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def check(self, asked: Classification) -> None:
        """Refuse a classification of a text output.

        Raises:
            RefusedError: It is one, or the server does not tell.
        """
        if not asked.outputs or _version(await self._ask("ServerMetadata", b"")) >= FIXED:
            return
        request = _text(NAME, asked.model) + _text(VERSION, asked.version)
        wrong = asked.outputs & _texts(await self._ask("ModelMetadata", request))
        if wrong:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"the output {min(wrong)!r} of the model {asked.model!r} is text, which has no classes; ask for it "
                "without the parameter 'classification'",
            )

    async def _ask(self, method: str, request: bytes) -> bytes:
        try:
            answer: bytes = await self._channel.unary_unary(SERVICE + method)(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise RefusedError(
                error.code(), error.details() or "the server does not say what its outputs are"
            ) from None
        return answer


def _version(answer: bytes) -> tuple[int, ...]:
    version = next(str(content, "utf-8") for number, content in fields(memoryview(answer)) if number == SERVER_VERSION)
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def _texts(answer: bytes) -> set[str]:
    """Return the outputs of type BYTES that a ``ModelMetadataResponse`` names."""
    outputs = [dict(fields(content)) for number, content in fields(memoryview(answer)) if number == OUTPUTS]
    return {str(output[TENSOR_NAME], "utf-8") for output in outputs if bytes(output[TENSOR_DATATYPE]) == b"BYTES"}


def _text(number: int, text: str) -> bytes:
    """Return a text as a field of a protobuf message."""
    content = text.encode()
    size, length = len(content), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content
