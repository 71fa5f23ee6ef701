"""Studies sent video by video, over both protocols, with and without asyncio, and through a server's restart."""

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from panecho_client import (
    AsyncPanEcho,
    ClipOptions,
    Connection,
    PanEcho,
    RequestError,
    Retry,
    ServerUnavailableError,
    StudyResult,
)
from panecho_server import ServerSettings, TritonServer
from support.serve import running_server

QUICK = ClipOptions(num_clips=2, clip_length=4)
TOLERANCE = 1e-4


@pytest.fixture
def study_files(cine: Path, tmp_path: Path) -> list[Path]:
    """Seven files: cines, the same cine as video, and two that cannot be used."""
    (tmp_path / "notes.txt").write_text("not a video")
    (tmp_path / "empty.dcm").touch()
    videos = [cine.with_name(name) for name in ("sonosite_h264.mp4", "sonosite_mpeg2.ts")]
    return [cine, tmp_path / "notes.txt", *videos, tmp_path / "empty.dcm", cine.with_name("sonosite_hevc.mp4")]


def assert_same(one: StudyResult, other: StudyResult) -> None:
    assert [video.status for video in one.videos] == [video.status for video in other.videos]
    assert one.predictions.keys() == other.predictions.keys()
    for key, prediction in one.predictions.items():
        assert prediction.value == pytest.approx(other[key].value, abs=TOLERANCE)
        assert prediction.label == other[key].label
    for video, same in zip(one.videos, other.videos, strict=True):
        assert (video.embedding is None) == (same.embedding is None)
        if video.embedding is not None and same.embedding is not None:
            np.testing.assert_allclose(video.embedding, same.embedding, atol=TOLERANCE)
        for key, prediction in video.predictions.items():
            assert prediction.value == pytest.approx(same[key].value, abs=TOLERANCE)


def test_video_by_video_is_the_study_in_one_request(server: TritonServer, study_files: list[Path]) -> None:
    done = []
    with PanEcho(server.grpc_url) as panecho:
        one = panecho.predict_study(study_files, clip_options=QUICK, batching="whole-study")
        many = panecho.predict_study(
            study_files, clip_options=QUICK, batching="per-video", on_progress=lambda n, of: done.append((n, of))
        )
    assert [video.ok for video in one.videos] == [True, False, True, True, False, True]
    assert_same(many, one)
    assert done == [(n, 6) for n in range(1, 7)]


def test_http_and_asyncio_give_the_same(server: TritonServer, study_files: list[Path]) -> None:
    async def over_http() -> StudyResult:
        async with AsyncPanEcho(f"http://{server.http_url}") as panecho:
            assert len(await panecho.tasks()) == 40
            assert (await panecho.weights()).stand_in
            return await panecho.predict_study(study_files, clip_options=QUICK, batching="per-video")

    with PanEcho(server.grpc_url) as panecho:
        assert_same(asyncio.run(over_http()), panecho.predict_study(study_files, clip_options=QUICK))


@pytest.mark.parametrize("scheme", ["", "http://"])
@pytest.mark.parametrize("batching", ["whole-study", "per-video"])
def test_refusals_name_the_file(scheme: str, batching: str, server: TritonServer, study_files: list[Path]) -> None:
    bad = study_files[1]
    url = scheme + (server.http_url if scheme else server.grpc_url)
    with PanEcho(url) as panecho:
        with pytest.raises(RequestError, match="NOT_A_VIDEO") as caught:
            panecho.predict_study(study_files, on_error="fail", clip_options=QUICK, batching=batching)  # type: ignore[arg-type] # a parameter of the test
        assert bad in caught.value.paths
        with pytest.raises(RequestError, match=r"video_sizes\[1\]: EMPTY_FILE") as caught:
            panecho.predict_study([bad, study_files[4]], clip_options=QUICK, batching=batching)  # type: ignore[arg-type] # as above
        assert caught.value.paths == (bad, study_files[4])
        with pytest.raises(RequestError, match="num_clips"):
            panecho.predict_study(study_files, clip_options=ClipOptions(num_clips=99), batching=batching)  # type: ignore[arg-type] # as above


def test_embeddings_alone(server: TritonServer, study_files: list[Path]) -> None:
    with PanEcho(server.grpc_url) as panecho:
        embeddings = panecho.embed(study_files[:3], clip_options=QUICK)
        study = panecho.predict_study(study_files[:3], clip_options=QUICK, tasks=["EF"])
    assert list(embeddings) == study_files[:3]
    for video in study.videos:
        embedding = embeddings[video.path]
        if isinstance(embedding, str):
            assert embedding == video.status
        else:
            assert video.embedding is not None
            np.testing.assert_allclose(embedding, video.embedding, atol=TOLERANCE)


def test_clips_of_ones_own(server: TritonServer) -> None:
    clips = np.random.default_rng(0).integers(0, 256, (18, 2, 224, 224, 3), np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    published = ((clips / 255 - mean) / std).transpose(0, 4, 1, 2, 3).astype(np.float32)
    with PanEcho(server.grpc_url) as panecho:
        levels = panecho.predict_clips(clips)
        normalised = panecho.predict_clips(published)
        with pytest.raises(RequestError, match=r"uint8 of shape \[1, 224, 224, 3\]; send uint8 \[K, T"):
            panecho.predict_clips(clips[0, :1])
        with pytest.raises(RequestError, match=r"grey levels from .* to .*Scale to"):
            panecho.predict_clips(published * 255)
        with pytest.raises(RequestError, match="hold nothing"):
            panecho.predict_clips(clips[:0])
    assert len(levels.predictions) == 40
    assert levels.videos[0].embedding is not None
    assert_same(normalised, levels)


def test_headers_and_wrong_settings(server: TritonServer) -> None:
    with PanEcho(Connection(url=server.grpc_url, headers={"Authorization": "Bearer x"})) as panecho:
        assert panecho.weights.stand_in
    with pytest.raises(RequestError, match="concurrency is 0"):
        PanEcho(concurrency=0)


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_study_outlives_a_restart_of_the_server(
    scheme: str, restarting: ServerSettings, cine: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.dcm" for number in range(8)]
    for file in files:
        file.write_bytes(cine.read_bytes())
    url = f"http://127.0.0.1:{restarting.http_port}" if scheme else f"127.0.0.1:{restarting.grpc_port}"
    connection = Connection(url=url, retry=Retry(seconds=120, first_wait=0.1, longest_wait=1))
    seen: list[int] = []
    restart = threading.Event()

    def on_progress(done: int, _of: int) -> None:
        seen.append(done)
        if done == 2:
            restart.set()

    with TritonServer(restarting) as first, PanEcho(connection, concurrency=2) as panecho:
        expected = panecho.predict_study(files[:1], clip_options=QUICK, tasks=["EF"])["EF"].value
        results: list[StudyResult] = []
        caller = threading.Thread(
            target=lambda: results.append(
                panecho.predict_study(
                    files, clip_options=QUICK, tasks=["EF"], batching="per-video", on_progress=on_progress
                )
            )
        )
        caller.start()
        assert restart.wait(60)
        first.stop()
        with running_server(restarting):
            caller.join(120)
        assert seen == list(range(1, 9))
        assert results[0]["EF"].value == pytest.approx(expected, abs=TOLERANCE)
        statuses = [video.status.partition(":")[0] for video in results[0].videos]
        assert statuses == ["ok", *["DUPLICATE"] * 7]  # all are one video, and all were answered


def test_a_server_that_never_answered_is_said_at_once(unused_url: str, cine: Path) -> None:
    started = time.monotonic()
    with PanEcho(Connection(url=unused_url)) as panecho, pytest.raises(ServerUnavailableError):
        panecho.predict_study([cine])
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_a_cancelled_study_stops_on_the_server(restarting: ServerSettings, cine: Path) -> None:
    async def cancel(url: str) -> float:
        async with AsyncPanEcho(url) as panecho:
            task = asyncio.create_task(
                panecho.predict_study([cine], clip_options=ClipOptions(num_clips=32, clip_length=32))
            )
            await asyncio.sleep(1)
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return time.monotonic() - started

    with running_server(restarting) as server:
        assert asyncio.run(cancel(server.grpc_url)) < 1
