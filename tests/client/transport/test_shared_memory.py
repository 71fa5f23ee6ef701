"""Tensors through shared memory: the same numbers, nothing left over, and a server that is restarted in between."""

from pathlib import Path

import numpy as np
import pytest

from panecho_client import ClipOptions, Connection, PanEcho, RequestError, Retry
from panecho_server import ServerSettings, TritonServer
from support.serve import running_server

QUICK = ClipOptions(num_clips=1, clip_length=2)


def regions() -> set[str]:
    return {path.name for path in Path("/dev/shm").glob("psm_*")}  # noqa: S108 - where Linux keeps shared memory


def test_same_numbers_and_nothing_left(server: TritonServer, cine: Path) -> None:
    before = regions()
    files = [cine, cine.with_name("sonosite_h264.mp4")]
    clips = np.random.default_rng(0).integers(0, 256, (3, 2, 224, 224, 3), np.uint8)
    with PanEcho(Connection(url=server.grpc_url, shared_memory=True)) as panecho:
        for _ in range(3):
            shared = panecho.predict_study(files, clip_options=QUICK, batching="per-video")
        of_clips = panecho.predict_clips(clips)
        used = regions() - before
        assert 1 <= len(used) <= 4
    assert regions() == before
    with PanEcho(server.grpc_url) as panecho:
        sent = panecho.predict_study(files, clip_options=QUICK)
        same = panecho.predict_clips(clips)
    for key, prediction in sent.predictions.items():
        assert prediction.value == pytest.approx(shared[key].value, abs=1e-4)
        assert same[key].value == pytest.approx(of_clips[key].value, abs=1e-4)


def test_an_error_leaves_nothing_either(server: TritonServer, cine: Path) -> None:
    before = regions()
    with PanEcho(Connection(url=server.grpc_url, shared_memory=True)) as panecho:
        with pytest.raises(RequestError, match="num_clips"):
            panecho.predict_study(cine, clip_options=ClipOptions(num_clips=999))
        assert panecho.predict_study(cine, clip_options=QUICK, tasks=["EF"]).videos[0].ok
    assert regions() == before


@pytest.mark.long
def test_a_restarted_server_is_told_again(restarting: ServerSettings, cine: Path) -> None:
    url = f"127.0.0.1:{restarting.grpc_port}"
    connection = Connection(url=url, shared_memory=True, retry=Retry(seconds=60))
    with PanEcho(connection) as panecho:
        values = []
        for _ in range(2):
            with running_server(restarting):
                values.append(panecho.predict_study(cine, clip_options=QUICK, tasks=["EF"])["EF"].value)
    assert values[0] == pytest.approx(values[1], abs=1e-4)


def test_only_over_grpc() -> None:
    with pytest.raises(RequestError, match="goes with gRPC"):
        Connection(url="http://localhost:8000", shared_memory=True)
