"""Key frames come with the prediction in one request, and are computed on request alone."""

from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray

from panecho_client import ClipOptions, IncompatibleServerError, PanEcho, _responses, _sender, _study_request
from panecho_client._files.file_bytes import Faults, read_files
from panecho_client._requests import Batching
from panecho_preprocessing import ClipOptions as ServerOptions
from panecho_preprocessing import preprocess_study
from panecho_server import TritonServer
from support.wire import QUICK, infer_study

OPTIONS = ClipOptions(num_clips=1, clip_length=2)


@pytest.fixture
def files(cine: Path, tmp_path: Path) -> list[Path]:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a video")
    return [cine, notes, cine.with_name("sonosite_h264.mp4")]


def expected_frames(files: list[Path]) -> NDArray[np.uint8]:
    contents = [file.read_bytes() for file in files]
    sizes = np.array([len(content) for content in contents])
    options = ServerOptions(num_clips=1, clip_length=1)
    study = preprocess_study(np.frombuffer(b"".join(contents), np.uint8), sizes, options, max_clips=9)
    first, last = study.clips[:, 0, :, :, ::-1]
    return np.stack([first, np.zeros_like(first), last])


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_one_frame_of_each_file_with_the_prediction(server: TritonServer, files: list[Path], protocol: str) -> None:
    triton = tritonclient.grpc if protocol == "grpc" else tritonclient.http
    url = server.grpc_url if protocol == "grpc" else server.http_url
    contents = [file.read_bytes() for file in files]
    with triton.InferenceServerClient(url) as client:
        outputs = infer_study(client, triton, contents, ["EF", "key_frame"], {**QUICK, "key_frames": True})
        nothing = infer_study(client, triton, contents, ["EF", "key_frame"], QUICK)["key_frame"]
    assert outputs["key_frame"].dtype == np.uint8
    np.testing.assert_array_equal(outputs["key_frame"], expected_frames(files))
    assert outputs["EF"].shape == (1,)
    assert nothing.shape == (0, 224, 224, 3)


def test_frames_alone_do_not_run_the_backbone(server: TritonServer, cine: Path) -> None:
    def executions() -> int:
        return int(client.get_inference_statistics("backbone").model_stats[0].execution_count)

    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        before = executions()
        parameters = {**QUICK, "key_frames": True}
        outputs = infer_study(client, tritonclient.grpc, [cine.read_bytes()], ["key_frame"], parameters)
        assert executions() == before
        assert outputs["key_frame"].shape == (1, 224, 224, 3)


@pytest.mark.parametrize("batching", get_args(Batching))
def test_the_client_sends_each_file_once(
    server: TritonServer, files: list[Path], batching: Batching, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: Counter[Path] = Counter()

    def counted(paths: list[Path], faults: Faults | None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        sent.update(paths)
        return read_files(paths, faults)

    monkeypatch.setattr(_sender, "read_files", counted)
    with PanEcho(server.grpc_url) as panecho:
        study = panecho.predict_study(files, clip_options=OPTIONS, tasks="EF", key_frames=True, batching=batching)
        assert sent == dict.fromkeys(files, 1)
        alone = panecho.key_frames(files, clip_options=OPTIONS)
        without = panecho.predict_study(files[:1], clip_options=OPTIONS, tasks="EF", batching=batching)
    expected = expected_frames(files)
    for video, frame in zip(study.videos, expected, strict=True):
        assert (video.key_frame is not None) == video.ok == (video.path in alone)
        if video.key_frame is not None:
            np.testing.assert_array_equal(video.key_frame, frame)
            np.testing.assert_array_equal(alone[video.path], frame)
    assert without.videos[0].key_frame is None
    assert "key_frames" not in study.parameters


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_server_without_the_output_is_named(
    server: TritonServer, cine: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_study_request, "KEY_FRAME", "no_such_frame")
    monkeypatch.setattr(_responses, "KEY_FRAME", "no_such_frame")
    url = server.grpc_url if protocol == "grpc" else f"http://{server.http_url}"
    with (
        PanEcho(url) as panecho,
        pytest.raises(IncompatibleServerError, match=r"lacks an output \(.*'no_such_frame'.*use a server of version"),
    ):
        panecho.predict_study(cine, clip_options=OPTIONS, tasks="EF", key_frames=True)
