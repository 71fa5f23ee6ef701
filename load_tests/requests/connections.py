"""How requests get to Triton. A request is encoded once, before the test; what is timed is the exchange of bytes."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import gevent
import grpc
import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from geventhttpclient import HTTPClient
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from load_tests.requests.errors import LoadTestError
from load_tests.requests.outcomes import OF_HTTP, RefusedError
from load_tests.requests.payloads import Payload

INFER = "/inference.GRPCInferenceService/ModelInfer"
STATISTICS = "/inference.GRPCInferenceService/ModelStatistics"
CONNECT_SECONDS = 5.0
HTTP_SOCKETS = 1000
"""Requests that one HTTP connection object may have in progress; each takes a socket."""

Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the server is.

    Attributes:
        url: ``grpc://host:port``, ``grpcs://``, ``http://`` or ``https://``.
        headers: Sent with every request, such as a gateway's token.
        root_certificates: PEM file of the authorities to trust; None trusts the system's.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    root_certificates: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, to which no proxy leads."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")


class TritonConnection(Protocol):
    """Exchanges encoded requests for encoded answers."""

    def encode(self, payload: Payload) -> Any:  # noqa: ANN401 - what `send` takes
        """Return the request as it goes over the wire."""

    def send(self, request: Any, deadline: float) -> tuple[Any, int]:  # noqa: ANN401 - what `encode` gave, and `decode` takes
        """Return the answer and its size in bytes.

        Raises:
            RefusedError: Any other end, no answer within `deadline` seconds included.
        """

    def decode(self, answer: Any, outputs: Sequence[str]) -> Arrays:  # noqa: ANN401 - what `send` gave
        """Return the tensors by name; one that is missing is missing."""

    def statistics(self) -> list[dict[str, Any]]:
        """Return Triton's statistics, one entry per model.

        Raises:
            RefusedError: It gives none.
        """

    def close(self) -> None:
        """Close it."""


def connect(address: Address) -> TritonConnection:
    """Return a new connection; its socket opens with the first request.

    Raises:
        LoadTestError: Not a valid URL.
    """
    scheme = address.url.partition("://")[0]
    if scheme in ("grpc", "grpcs"):
        return GrpcConnection(address)
    if scheme in ("http", "https"):
        return HttpConnection(address)
    raise LoadTestError(f"--host {address.url}: give grpc://host:8001 or http://host:8000 (grpcs and https with TLS).")


def wait_until_connected(connection: TritonConnection, seconds: float = CONNECT_SECONDS) -> None:
    """Wait for a server.

    Raises:
        LoadTestError: None answers.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.statistics()
        except RefusedError as error:
            if error.status not in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                return  # something answers, if only that it does not tell its statistics
            if time.monotonic() > deadline:
                raise LoadTestError(f"no server answers ({error}); start one, or check --host.") from None
            time.sleep(0.2)
        else:
            return


class GrpcConnection:
    """See ``Connection``. Under Locust, ``grpc.experimental.gevent.init_gevent`` must have been called before."""

    def __init__(self, address: Address) -> None:
        target = address.url.partition("://")[2].rstrip("/")
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),  # else all channels of a process share one socket
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0 if address.is_local else 1),
        ]
        if address.url.startswith("grpcs://"):
            roots = address.root_certificates and address.root_certificates.read_bytes()
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(roots or None), options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        self._metadata = [(name.lower(), value) for name, value in address.headers.items()]
        self._infer = self._channel.unary_unary(INFER)  # bytes in, bytes out: neither is made or read while timed
        self._statistics = self._channel.unary_unary(STATISTICS)

    def encode(self, payload: Payload) -> bytes:
        """See ``Connection``."""
        request = service_pb2.ModelInferRequest(model_name=payload.model)
        for name, array in payload.inputs.items():
            request.inputs.add(name=name, shape=array.shape, datatype=np_to_triton_dtype(array.dtype))
            request.raw_input_contents.append(_raw(array))
        for name in payload.outputs:
            request.outputs.add(name=name)
        for name, value in payload.parameters.items():
            if isinstance(value, str):
                request.parameters[name].string_param = value
            else:
                request.parameters[name].int64_param = value
        encoded: bytes = request.SerializeToString()
        return encoded

    def send(self, request: bytes, deadline: float) -> tuple[bytes, int]:
        """See ``Connection``."""
        answer = self._call(self._infer, request, deadline)
        return answer, len(answer)

    def decode(self, answer: bytes, outputs: Sequence[str]) -> Arrays:
        """See ``Connection``."""
        return _arrays(triton_grpc.InferResult(service_pb2.ModelInferResponse.FromString(answer)), outputs)

    def statistics(self) -> list[dict[str, Any]]:
        """See ``Connection``."""
        request = service_pb2.ModelStatisticsRequest().SerializeToString()
        answer = service_pb2.ModelStatisticsResponse.FromString(self._call(self._statistics, request, CONNECT_SECONDS))
        return [_statistics_of(model) for model in answer.model_stats]

    def close(self) -> None:
        """See ``Connection``."""
        self._channel.close()

    def _call(self, call: Any, request: bytes, deadline: float) -> bytes:  # noqa: ANN401 - gRPC's callables have no public type
        # As a future: a plain call holds one of gevent's 10 threads until it ends, so of more calls the eleventh would
        # seem to take as long as one of the first ten.
        future = call.future(request, timeout=deadline, metadata=self._metadata)
        try:
            answer: bytes = future.result()
        except grpc.RpcError as error:
            raise RefusedError(error.code().name, str(error.details())) from None
        return answer


class HttpConnection:
    """See ``Connection``."""

    def __init__(self, address: Address) -> None:
        options: dict[str, Any] = {}
        if address.url.startswith("https://") and address.root_certificates:
            options["ssl_options"] = {"ca_certs": str(address.root_certificates)}
        self._client = HTTPClient.from_url(
            address.url, concurrency=HTTP_SOCKETS, connection_timeout=CONNECT_SECONDS, **options
        )
        self._headers = dict(address.headers)

    def encode(self, payload: Payload) -> tuple[str, bytes, dict[str, str]]:
        """See ``Connection``."""
        inputs = []
        for name, array in payload.inputs.items():
            tensor = triton_http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            inputs.append(tensor.set_data_from_numpy(array))
        body, header_length = triton_http.InferenceServerClient.generate_request_body(
            inputs,
            outputs=[triton_http.InferRequestedOutput(name) for name in payload.outputs],
            parameters=dict(payload.parameters),
        )
        headers = {"Inference-Header-Content-Length": str(header_length), "Content-Type": "application/octet-stream"}
        return f"/v2/models/{payload.model}/infer", body, self._headers | headers

    def send(self, request: tuple[str, bytes, dict[str, str]], deadline: float) -> tuple[tuple[bytes, int | None], int]:
        """See ``Connection``."""
        uri, body, headers = request
        answer, length = self._exchange("POST", uri, body, headers, deadline)
        return (answer, length), len(answer)

    def decode(self, answer: tuple[bytes, int | None], outputs: Sequence[str]) -> Arrays:
        """See ``Connection``."""
        body, header_length = answer
        result = triton_http.InferenceServerClient.parse_response_body(body, header_length=header_length)
        return _arrays(result, outputs)

    def statistics(self) -> list[dict[str, Any]]:
        """See ``Connection``."""
        answer, _ = self._exchange("GET", "/v2/models/stats", b"", self._headers, CONNECT_SECONDS)
        models: list[dict[str, Any]] = json.loads(answer)["model_stats"]
        return models

    def close(self) -> None:
        """See ``Connection``."""
        self._client.close()

    def _exchange(
        self, method: str, uri: str, body: bytes, headers: dict[str, str], deadline: float
    ) -> tuple[bytes, int | None]:
        try:
            with gevent.Timeout(deadline, TimeoutError):
                response = self._client.request(method, uri, body=body, headers=headers)
                content = bytes(response.read())
        except TimeoutError:
            raise RefusedError("DEADLINE_EXCEEDED", f"no answer within {deadline:g} s") from None
        except OSError as error:
            raise RefusedError("UNAVAILABLE", str(error)) from None
        if response.status_code != 200:
            status = OF_HTTP.get(response.status_code, f"HTTP {response.status_code}")
            raise RefusedError(status, _error_text(content))
        header_length = response.get("Inference-Header-Content-Length")
        return content, int(str(header_length)) if header_length else None


def _raw(array: NDArray[Any]) -> bytes:
    if array.dtype != np.object_:
        return array.tobytes()
    raw: bytes = serialize_byte_tensor(array).item()
    return raw


def _error_text(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace")[:200]


def _arrays(result: Any, outputs: Sequence[str]) -> Arrays:  # noqa: ANN401 - tritonclient's two results share no type
    arrays = {name: result.as_numpy(name) for name in outputs}
    return {name: array for name, array in arrays.items() if array is not None}


def _statistics_of(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    """Return a model's statistics as HTTP gives them."""

    def durations(message: Any, names: Sequence[str]) -> dict[str, dict[str, int]]:  # noqa: ANN401 - as above
        return {name: {"count": getattr(message, name).count, "ns": getattr(message, name).ns} for name in names}

    computing = ("compute_input", "compute_infer", "compute_output")
    return {
        "name": model.name,
        "inference_count": model.inference_count,
        "execution_count": model.execution_count,
        "inference_stats": durations(model.inference_stats, ("success", "fail", "queue", *computing)),
        "batch_stats": [{"batch_size": batch.batch_size, **durations(batch, computing)} for batch in model.batch_stats],
    }
