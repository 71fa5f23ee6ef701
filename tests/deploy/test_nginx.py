"""The proxy that we ship, real nginx with TLS, in front of a server that closes next to nothing itself."""

import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from kubernetes_objects import compose
from tritonclient.grpc import service_pb2

from panecho_client import ClipOptions, Connection, PanEcho, RequestError, Retry, ServerBusyError
from panecho_server import TritonServer
from support.proxy import TOKENS, Proxy, running_proxy, write_tokens

ROOT = Path(__file__).parents[2]
PANECHO = Path(sys.executable).with_name("panecho")
QUICK = ClipOptions(num_clips=1, clip_length=2)
SCHEMES = ("", "https://")
BEARER = {"Authorization": f"Bearer {TOKENS['radiology']}"}

SERVICE = "inference.GRPCInferenceService"
METHODS = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
HEALTH = {"ServerLive", "ServerReady"}
PASSED = {"ModelInfer", "ModelConfig", "ModelReady", "ModelMetadata", "ServerMetadata"}

HEALTH_PATHS = {"/v2/health/live", "/v2/health/ready"}
PASSED_PATHS = {"/v2", "/v2/models/panecho", "/v2/models/panecho/ready", "/v2/models/panecho/config"}
INFER = "/v2/models/panecho/infer"
# What else Triton answers over HTTP, and ways around a rule that compares paths.
CLOSED_PATHS = (
    "/v2/repository/index",
    "/v2/repository/models/image_encoder/load",
    "/v2/repository/models/panecho/unload",
    "/v2/systemsharedmemory/status",
    "/v2/systemsharedmemory/region/r/register",
    "/v2/systemsharedmemory/unregister",
    "/v2/cudasharedmemory/status",
    "/v2/cudasharedmemory/region/r/register",
    "/v2/cudasharedmemory/unregister",
    "/v2/trace/setting",
    "/v2/models/panecho/trace/setting",
    "/v2/logging",
    "/v2/models/stats",
    "/v2/models/panecho/stats",
    "/v2/models/panecho/generate",
    "/v2/models/panecho/generate_stream",
    "/v2/models/panecho/versions/1/infer",
    "/metrics",
    "/",
    "/v2/models/../logging",
    "/v2/models/%2e%2e/logging",
    "/v2/models/panecho/..%2f..%2flogging",
    "//v2/logging",
    "/v2/health/live/../../logging",
    "/V2/health/live",
    "/v2/health/live%2f..%2f..%2flogging",
)


@pytest.fixture(scope="module")
def proxy(server: TritonServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Without limits of rate, so that tests do not wait; the limit of size is one that is soon sent."""
    changes = {
        "rate=20r/s": "rate=1000r/s",
        "rate=10r/s": "rate=1000r/s",
        "client_max_body_size 512m": "client_max_body_size 4m",
    }
    with running_proxy(tmp_path_factory.mktemp("nginx"), server, changes) as running:
        yield running


@pytest.fixture(scope="module")
def channel(proxy: Proxy) -> Iterator[grpc.Channel]:
    credentials = grpc.ssl_channel_credentials(proxy.certificates.read_bytes())
    with grpc.secure_channel(proxy.url(""), credentials) as opened:
        yield opened


def call(channel: grpc.Channel, method: str, headers: dict[str, str]) -> grpc.StatusCode:
    """Send an empty message; return the status."""
    metadata = [(name.lower(), value) for name, value in headers.items()]
    try:
        if METHODS[method].client_streaming:
            list(channel.stream_stream(f"/{SERVICE}/{method}")(iter([b""]), metadata=metadata, timeout=10))
        else:
            channel.unary_unary(f"/{SERVICE}/{method}")(b"", metadata=metadata, timeout=10)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def ask(
    proxy: Proxy, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return status, headers and body; the path is sent as it is."""
    context = ssl.create_default_context(cafile=proxy.certificates)
    connection = http.client.HTTPSConnection("localhost", proxy.port, timeout=10, context=context)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_with_a_token_the_result_is_that_of_the_server(
    proxy: Proxy, server: TritonServer, cine: Path, scheme: str
) -> None:
    files = [cine, cine.with_name("sonosite_h264.mp4")]
    with PanEcho(server.grpc_url) as direct, PanEcho(proxy.connection(scheme)) as through:
        expected = direct.predict_study(files, clip_options=QUICK)
        study = through.predict_study(files, clip_options=QUICK, batching="per-video")
        frames = through.key_frames(cine)
    assert {video.status for video in study.videos} == {"ok"}
    assert frames[cine].shape == (224, 224, 3)
    assert study.predictions.keys() == expected.predictions.keys()
    for key, prediction in expected.predictions.items():
        assert study[key].value == pytest.approx(prediction.value, abs=1e-4)
    for video, direct_video in zip(study.videos, expected.videos, strict=True):
        assert video.embedding is not None
        assert direct_video.embedding is not None
        np.testing.assert_allclose(video.embedding, direct_video.embedding, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_command_takes_a_token(proxy: Proxy, cine: Path, scheme: str) -> None:
    where = [f"--url={proxy.url(scheme)}", f"--root-certificates={proxy.certificates}"]
    command = [str(PANECHO), "predict", str(cine), *where, "--num-clips=1", "--clip-length=2", "--tasks=EF", "--json=-"]
    header = f"--header=Authorization: Bearer {TOKENS['radiology']}"
    finished = subprocess.run([*command, header], capture_output=True, text=True, check=False, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["predictions"]["EF"]["value"] > 0
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert refused.returncode == 1
    assert "--token-file FILE" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("caller", ["", "stranger"])
def test_without_a_valid_token_the_client_says_what_to_do(proxy: Proxy, cine: Path, scheme: str, caller: str) -> None:
    with (
        PanEcho(proxy.connection(scheme, caller)) as panecho,
        pytest.raises(RequestError, match=r"no valid token.*--token-file FILE") as caught,
    ):
        panecho.predict_study(cine)
    assert caught.value.code == "UNAUTHENTICATED"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer " + "c3" * 32}, {"Authorization": "Bearer"}])
def test_over_grpc_only_health_answers_without_a_token(channel: grpc.Channel, headers: dict[str, str]) -> None:
    statuses = {method: call(channel, method, headers) for method in METHODS}
    assert len(statuses) == 20
    assert {method for method, status in statuses.items() if status is grpc.StatusCode.OK} == HEALTH
    assert {statuses[method] for method in set(METHODS) - HEALTH} == {grpc.StatusCode.UNAUTHENTICATED}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_over_http_only_health_answers_without_a_token(proxy: Proxy, method: str) -> None:
    paths = [*HEALTH_PATHS, *PASSED_PATHS, INFER, *CLOSED_PATHS]
    statuses = {path: ask(proxy, path, method=method)[0] for path in paths}
    answered = {path for path, status in statuses.items() if status != 401}
    assert answered - {"/V2/health/live"} == HEALTH_PATHS
    assert statuses["/V2/health/live"] == 404


def test_over_grpc_a_token_opens_what_predictions_need(channel: grpc.Channel, server: TritonServer) -> None:
    statuses = {method: call(channel, method, BEARER) for method in METHODS}
    refused = {method for method, status in statuses.items() if status is grpc.StatusCode.PERMISSION_DENIED}
    assert refused == set(METHODS) - HEALTH - PASSED
    # Those that are passed reach the server, which misses a model's name in an empty message.
    assert statuses["ModelInfer"] is grpc.StatusCode.NOT_FOUND
    assert server.is_ready("panecho")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_over_http_a_token_opens_what_predictions_need(proxy: Proxy, server: TritonServer, method: str) -> None:
    closed = {path: ask(proxy, path, BEARER, method)[0] for path in CLOSED_PATHS}
    assert set(closed.values()) <= {400, 404}, closed
    assert server.is_ready("panecho")
    if method == "GET":
        assert {ask(proxy, path, BEARER)[0] for path in PASSED_PATHS} == {200}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_body_that_is_too_large_is_refused_once(proxy: Proxy, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "large.dcm").write_bytes(bytes(64 * 2**20))
    waiting = Retry(seconds=60)
    started = time.monotonic()
    with (
        PanEcho(proxy.connection(scheme, retry=waiting)) as panecho,
        pytest.raises(RequestError, match="larger than this server takes"),
    ):
        panecho.predict_study(tmp_path / "large.dcm")
    assert time.monotonic() - started < 30


def test_what_hides_its_size_is_refused(proxy: Proxy, channel: grpc.Channel) -> None:
    chunked = BEARER | {"Transfer-Encoding": "chunked"}
    assert ask(proxy, INFER, chunked, "POST", b"0\r\n\r\n")[0] == 411
    assert ask(proxy, INFER, BEARER | {"Content-Encoding": "gzip"}, "POST", b"x")[0] == 415
    infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
    with pytest.raises(grpc.RpcError) as caught:
        infer(b"x" * 1000, metadata=list(lowered(BEARER)), timeout=10, compression=grpc.Compression.Gzip)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "the request is compressed; send it as it is",
    )


def lowered(headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value) for name, value in headers.items())


def test_refusals_and_logs_give_nothing_away(proxy: Proxy, server: TritonServer) -> None:
    secret = "DOE-JANE-19010203"  # noqa: S105 - a patient, not a password
    status, headers, body = ask(proxy, f"/v2/models/panecho/config?patient={secret}", BEARER)
    assert status == 404
    assert json.loads(body) == {"error": "there is no such API, or it is closed; none has a query string"}
    status, headers, body = ask(proxy, f"/v2/{secret}", BEARER | {"User-Agent": secret, "Referer": secret})
    assert status == 404
    assert headers["Server"] == "nginx"
    status, headers, body = ask(proxy, f"/v2/{secret}", {"Authorization": f"Bearer {secret}"})
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    ask(proxy, f"/v2/{secret}", BEARER, "POST", bytes(5 * 2**20))
    calls = [json.loads(line) for line in proxy.calls.splitlines()]
    assert {(call["caller"], call["api"], call["status"]) for call in calls} >= {
        ("radiology", "config", 404),
        ("radiology", "other", 404),
        ("", "other", 401),
    }
    for told in (proxy.calls, proxy.errors, server.settings.log_file.read_text()):
        assert secret not in told
        assert TOKENS["radiology"] not in told


def test_plain_http_and_strangers_to_the_authority_are_refused(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection("localhost", proxy.port, timeout=10)
    connection.request("GET", "/v2/health/live")
    assert connection.getresponse().status == 400
    connection.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("localhost", proxy.port, context=ssl.create_default_context()).connect()


def test_tokens_change_without_a_restart(server: TritonServer, tmp_path: Path) -> None:
    with running_proxy(tmp_path, server) as proxy:
        assert ask(proxy, "/v2", BEARER)[0] == 200
        write_tokens(tmp_path, {"research": TOKENS["research"]})
        proxy.reload()
        deadline = time.monotonic() + 10
        while ask(proxy, "/v2", BEARER)[0] != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ask(proxy, "/v2", {"Authorization": f"Bearer {TOKENS['research']}"})[0] == 200


def describe_often(connection: Connection) -> None:
    """Send a request each of several clients; none of them has had an answer yet, so none waits."""
    for _ in range(10):
        with PanEcho(connection) as panecho:
            assert panecho.tasks


@pytest.mark.parametrize("scheme", SCHEMES)
def test_too_many_requests_are_told_to_come_back(server: TritonServer, cine: Path, tmp_path: Path, scheme: str) -> None:
    """A caller over the rate is refused, waits and gets the answer; another is not concerned."""
    changes = {"rate=20r/s": "rate=2r/s", "burst=40": "burst=3"}
    with running_proxy(tmp_path, server, changes) as proxy:
        with pytest.raises(ServerBusyError, match="too many requests"):
            describe_often(proxy.connection(scheme, "radiology"))
        with PanEcho(proxy.connection(scheme, "research")) as panecho:
            assert len(panecho.tasks) == 40
        with PanEcho(proxy.connection(scheme, "radiology", Retry(seconds=60))) as panecho:
            study = panecho.predict_study(cine, clip_options=QUICK, tasks=["EF"], batching="per-video")
    assert study.videos[0].ok
    assert '"status": 429' in proxy.calls


def test_the_job_of_an_archive_gets_through_the_proxy(proxy: Proxy, cine: Path, tmp_path: Path) -> None:
    """Runs the arguments of the component archive-behind-proxy, with the values that a cluster puts in."""
    (job,) = (
        item
        for item in compose(["archive-behind-proxy", "auth-proxy", "cpu"], ROOT)
        if item["metadata"]["name"] == "panecho-predict"
    )
    (container,) = job["spec"]["template"]["spec"]["containers"]
    subprocess.run([PANECHO, "index", cine, f"--output={tmp_path}/index.csv"], check=True)
    values = {
        "$(URL)": f"dns:///{proxy.url('')}",
        "$(TOKEN)": TOKENS["radiology"],
        "$(JOB_COMPLETION_INDEX)": "0",
        "$(SHARDS)": "1",
        "/run/caller/ca.crt": str(proxy.certificates),
        "/results": str(tmp_path),
    }
    arguments = "\n".join(container["args"])
    for name, value in values.items():
        assert name in arguments
        arguments = arguments.replace(name, value)
    command = [str(PANECHO), *arguments.split("\n"), "--num-clips=1", "--clip-length=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shards/0/predictions.csv").is_file()
    assert TOKENS["radiology"] not in done.stdout + done.stderr
