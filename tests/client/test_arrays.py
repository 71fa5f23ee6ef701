"""Single frames: what the image encoder makes of them, and those that stand for a video."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from panecho_client import ClipOptions, PanEcho, RequestError, ServerError
from panecho_server import ServerSettings, TritonServer
from support.probing import probe
from support.serve import running_server


@pytest.fixture
def without_image_encoder(cold_repository: Path, tmp_path: Path) -> Iterator[TritonServer]:
    """A server that may load the image encoder, and has not yet."""
    settings = ServerSettings(
        model_repository=cold_repository,
        model_control=True,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=tmp_path / "log",
    )
    with running_server(settings) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, pytest.param(67, marks=pytest.mark.long)])  # more than a batch
def test_the_image_encoder_is_loaded_with_the_first_call(without_image_encoder: TritonServer, count: int) -> None:
    server = without_image_encoder
    frames = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), np.uint8)
    http = f"http://{server.http_url}"
    with PanEcho(server.grpc_url) as panecho, PanEcho(http) as over_http:
        # Over HTTP a web page could ask for it, so the server refuses.
        with pytest.raises(ServerError, match="--load image_encoder"):
            over_http.embed_frames(frames[:1])
        embeddings = panecho.embed_frames(frames)
        assert embeddings.shape == (count, 768)
        assert embeddings.dtype == np.float32
        assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3
        np.testing.assert_allclose(over_http.embed_frames(frames[-2:]), embeddings[-2:], atol=1e-4)


def test_wrong_frames(server: TritonServer) -> None:
    with PanEcho(server.grpc_url) as panecho:
        for shape in ((224, 224, 3), (1, 112, 112, 3)):
            with pytest.raises(RequestError, match=r"send uint8 \[N, 224, 224, 3\]"):
                panecho.embed_frames(np.zeros(shape, np.uint8))
        with pytest.raises(RequestError, match="hold nothing"):
            panecho.embed_frames(np.zeros((0, 224, 224, 3), np.uint8))


def test_key_frames_are_what_the_model_is_shown(server: TritonServer, cine: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a video")
    video = cine.with_name("sonosite_h264.mp4")
    with PanEcho(server.grpc_url) as panecho:
        frames = panecho.key_frames([cine, notes, video])
        whole = panecho.key_frames(cine, clip_options=ClipOptions(framing="whole"))[cine]
    assert list(frames) == [cine, video]
    for frame in frames.values():
        assert frame.shape == (224, 224, 3)
        assert frame.dtype == np.uint8
    # Text stands left of the sector.
    assert whole[:, :16].max() > 90
    assert frames[cine][:, :32].max() < 20
    decoded = probe(cine.read_bytes())[3][:, :, ::-1]
    np.testing.assert_allclose(whole.mean(axis=(0, 1)), decoded.mean(axis=(0, 1)), atol=6)
