"""Triton's OpenTelemetry traces of a study, sent to a small receiver of OTLP over HTTP (JSON)."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import tritonclient.grpc as triton

from panecho_server import ServerSettings
from support.monitoring import identifiers
from support.serve import running_server
from support.wire import QUICK, study_inputs

pytestmark = pytest.mark.long  # a server of its own, for what Triton itself does

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
"""Of a caller, as in W3C's Trace Context."""

TRIES = 4
"""Triton 24.10 does not always go on with a caller's trace: in one of some ten runs it began one of its own."""


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        """Where an exporter sends traces."""
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def spans(self) -> list[dict[str, Any]]:
        """Return every span received so far."""
        exports = [json.loads(body) for body in self.bodies]
        resources = [resource for export in exports for resource in export["resourceSpans"]]
        return [span for resource in resources for scope in resource["scopeSpans"] for span in scope["spans"]]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.server.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(scope="module")
def spans(
    receiver: Receiver, cold_repository: Path, cine: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Those of one study whose caller has a trace of its own."""
    options = {  # `--trace-config` is given several times, each as key=value
        "trace-config=mode": "opentelemetry",
        "trace-config=opentelemetry,url": receiver.url,
        "trace-config=opentelemetry,bsp_schedule_delay": "200",
        "trace-config=opentelemetry,resource": "service.name=panecho",
        "trace-config=rate": "1",
        "trace-config=level": "TIMESTAMPS",
    }
    settings = ServerSettings(
        model_repository=cold_repository,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=tmp_path_factory.mktemp("tracing") / "log",
        options=options,
    )
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    with running_server(settings) as server:
        for tries in range(1, TRIES + 1):
            with triton.InferenceServerClient(server.grpc_url) as client:
                client.infer("panecho", study_inputs(triton, [cine.read_bytes()]), parameters=QUICK, headers=headers)
            wait_for_studies(receiver, tries)
            found = [span for span in receiver.spans() if span["traceId"] == TRACE]
            if found:
                return found
    pytest.fail(f"no trace of {TRIES} is the caller's: {receiver.spans()}")


def wait_for_studies(receiver: Receiver, count: int) -> None:
    """Wait until so many whole studies have been traced: the outermost span is sent last."""
    deadline = time.monotonic() + 30
    while [span["name"] for span in receiver.spans()].count("InferRequest") < count:
        assert time.monotonic() < deadline, receiver.spans()
        time.sleep(0.1)


def test_each_model_has_a_span_below_the_callers(spans: list[dict[str, Any]]) -> None:
    assert {span["traceId"] for span in spans} == {TRACE}
    by_name = {span["name"]: span for span in spans if span["name"] != "compute"}
    assert by_name.keys() == {"InferRequest", "panecho", "preprocessing", "backbone", "postprocessing"}
    assert by_name["InferRequest"]["parentSpanId"] == PARENT
    assert by_name["panecho"]["parentSpanId"] == by_name["InferRequest"]["spanId"]
    models = ("preprocessing", "backbone", "postprocessing")
    assert {by_name[model]["parentSpanId"] for model in models} == {by_name["panecho"]["spanId"]}
    computed = {span["parentSpanId"] for span in spans if span["name"] == "compute"}
    assert computed == {by_name[model]["spanId"] for model in models}
    starts = [int(by_name[model]["startTimeUnixNano"]) for model in models]
    assert starts == sorted(starts)
    for span in spans:
        assert int(span["startTimeUnixNano"]) < int(span["endTimeUnixNano"])


@pytest.mark.usefixtures("spans")
def test_spans_hold_times_and_names_alone(receiver: Receiver, cine: Path) -> None:
    keys = {attribute["key"] for span in receiver.spans() for attribute in span.get("attributes", ())}
    assert keys == {
        "triton.model_name",
        "triton.model_version",
        "triton.trace_id",
        "triton.trace_parent_id",
    }
    text = b"".join(receiver.bodies).decode()
    assert '"panecho"' in text
    for value in identifiers(cine):
        assert value not in text
