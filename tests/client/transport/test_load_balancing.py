"""Several servers behind one name share the requests, and one that ends is done without."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from panecho_client import ClipOptions, Connection, PanEcho
from panecho_server import ServerSettings, TritonServer
from support.serve import running_server

QUICK = ClipOptions(num_clips=1, clip_length=1)


def requests_of(server: TritonServer) -> int:
    with InferenceServerClient(server.grpc_url, channel_args=[("grpc.enable_http_proxy", 0)]) as client:
        (statistics,) = client.get_inference_statistics("preprocessing").model_stats
    return int(statistics.inference_stats.success.count)


@pytest.mark.slow
def test_requests_go_round(server: TritonServer, cold_repository: Path, cine: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.dcm" for number in range(8)]
    for file in files:
        file.write_bytes(cine.read_bytes())
    settings = ServerSettings(
        model_repository=cold_repository, http_port=0, grpc_port=0, metrics_port=0, log_file=tmp_path / "log"
    )
    with ExitStack() as opened:
        second = opened.enter_context(running_server(settings))
        before = requests_of(server)
        # What dns:///name makes of a name with two addresses; a name that has them needs a resolver of one's own.
        panecho = opened.enter_context(PanEcho(Connection(url=f"ipv4:{server.grpc_url},{second.grpc_url}")))
        study = panecho.predict_study(files, tasks=["EF"], clip_options=QUICK, batching="per-video")
        assert requests_of(server) - before >= 2
        assert requests_of(second) >= 2
        assert requests_of(server) - before + requests_of(second) == 8
        second.stop()
        again = panecho.predict_study(files, tasks=["EF"], clip_options=QUICK, batching="per-video")
    assert again["EF"].value == pytest.approx(study["EF"].value, abs=1e-4)


def test_a_name_is_resolved(server: TritonServer) -> None:
    port = server.grpc_url.rpartition(":")[2]
    with PanEcho(f"dns:///localhost:{port}") as panecho:
        assert len(panecho.tasks) == 40
