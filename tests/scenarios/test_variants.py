"""Exports of less than everything, each through a real server, against the whole model called as plain Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import panecho_preprocessing
from panecho_client import ClipOptions, PanEcho, RequestError, UnknownTaskError
from panecho_client.outputs import build_sr, identify, long_rows, render_html
from panecho_export.repository import export_stand_in
from panecho_export.variant import Variant
from panecho_model.checkpoint import load_model
from panecho_model.constants import BOUNDS
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import TASKS, find_tasks
from panecho_postprocessing.aggregation import ClipOutputs, predict, read_heads
from panecho_server import ServerSettings, TritonServer
from support.exports import one_clip_compared
from support.reference_clips import uint8_clip
from support.serve import running_server
from support.wire import Arrays, infer_study

TOLERANCE = 1e-4
CLIP_LENGTH = 8
TASKS_JSON = Path(__file__).parents[2] / "model_repository/postprocessing/1/tasks.json"
GOLDEN = Path(__file__).parents[1] / "model" / "data" / "golden_seed0.npz"


def infer_over(server: TritonServer, cine: Path, outputs: list[str]) -> Arrays:
    with triton.InferenceServerClient(server.grpc_url) as client:
        return infer_study(client, triton, [cine.read_bytes()], outputs, {"num_clips": 1})


@contextmanager
def served(folder: Path, variant: Variant) -> Iterator[TritonServer]:
    with one_clip_compared():
        export_stand_in(0, folder / "repository", variant)
    settings = ServerSettings(
        model_repository=folder / "repository", http_port=0, grpc_port=0, metrics_port=0, log_file=folder / "log"
    )
    with running_server(settings) as running:
        yield running


def as_eager(cine: Path, outputs: set[str]) -> Arrays:
    """Return what the whole FP32 model, called as plain Python, says of one clip of the cine."""
    data = np.fromfile(cine, np.uint8)
    options = panecho_preprocessing.ClipOptions(num_clips=1, clip_length=CLIP_LENGTH)
    study = panecho_preprocessing.preprocess_study(data, np.array([len(data)]), options, max_clips=1)
    with torch.inference_mode():
        logits, embedding = load_model(with_training_means(stand_in_weights(0)))(torch.from_numpy(study.clips))
    clips = ClipOutputs(
        logits=logits.numpy(),
        clip_embedding=embedding.numpy(),
        clip_video=study.clip_video,
        video_status=study.video_status,
    )
    return predict(read_heads(TASKS_JSON), clips, outputs)


@pytest.fixture(scope="module")
def expected(cine: Path) -> Arrays:
    return as_eager(cine, {"EF", "video/EF", "AVStenosis", "video/AVStenosis", "embedding"})


@pytest.mark.long
def test_bf16_is_within_its_bounds(tmp_path: Path, cine: Path) -> None:
    expected = as_eager(cine, {"embedding", *(task.key for task in TASKS)})
    variant = Variant(precision="bf16", parts=("study",), clip_length=CLIP_LENGTH)
    with served(tmp_path, variant) as server, PanEcho(server.grpc_url) as panecho:
        study = panecho.predict_study(cine, clip_options=ClipOptions(num_clips=1), embedding=True)
        outputs = infer_over(server, cine, list(expected))
    assert study.weights.manifest is not None
    assert study.weights.manifest.precision == "bf16"
    bounds = BOUNDS["bf16"]
    for task in TASKS:
        bound = bounds.probability if task.training_mean is None else bounds.regression * task.training_mean
        np.testing.assert_allclose(outputs[task.key], expected[task.key], rtol=0, atol=bound, err_msg=task.key)
    np.testing.assert_allclose(outputs["embedding"], expected["embedding"], rtol=0, atol=bounds.embedding)
    assert np.abs(outputs["embedding"] - expected["embedding"]).max() > TOLERANCE  # or it was not bf16 that ran


@pytest.mark.slow
def test_a_few_tasks_and_another_clip_length(tmp_path: Path, cine: Path, expected: Arrays) -> None:
    variant = Variant(tasks=find_tasks(["AVStenosis", "EF"]), parts=("study",), clip_length=CLIP_LENGTH)
    with served(tmp_path, variant) as server, triton.InferenceServerClient(server.grpc_url) as client:
        outputs = infer_study(client, triton, [cine.read_bytes()], parameters={"num_clips": 1})
        assert set(outputs) == {*expected, "video_status", "clip_logits", "clip_video", "key_frame", "video_digest"}
        assert outputs["clip_logits"].shape == (1, 4)
        for name, array in expected.items():
            np.testing.assert_allclose(outputs[name], array, rtol=0, atol=TOLERANCE, err_msg=name)
        longer = infer_study(client, triton, [cine.read_bytes()], ["EF"], {"num_clips": 1, "clip_length": 4})
        assert abs(longer["EF"][0] - expected["EF"][0]) > TOLERANCE
        with PanEcho(server.grpc_url) as panecho:
            assert [task.key for task in panecho.tasks] == ["EF", "AVStenosis"]
            with pytest.raises(UnknownTaskError, match="LVEDV"):
                panecho.predict_study(cine, tasks="LVEDV")
            study = panecho.predict_study(cine, batching="per-video", clip_options=ClipOptions(num_clips=1))
    assert sorted(study.predictions) == ["AVStenosis", "EF"]
    manifest = study.weights.manifest
    assert manifest is not None
    assert (manifest.precision, manifest.clip_length) == ("fp32", CLIP_LENGTH)
    assert study.to_dict()["weights"]["manifest"]["versions"]["torch"] == torch.__version__.partition("+")[0]
    identity = identify(study)
    assert {row["model_precision"] for row in long_rows(study, identity)} == {"fp32"}
    assert "<dt>Precision</dt><dd>fp32</dd>" in render_html(study, identity)
    assert any("; precision fp32" in str(element.value) for element in build_sr(study, identity).iterall())
    assert "Precision: fp32." in (tmp_path / "log").read_text()


@pytest.mark.long
def test_without_heads_a_study_gives_embeddings(tmp_path: Path, cine: Path, expected: Arrays) -> None:
    variant = Variant(parts=("backbone",), clip_length=CLIP_LENGTH)
    with served(tmp_path, variant) as server, triton.InferenceServerClient(server.grpc_url) as client:
        files = [cine.read_bytes(), b"no video"]
        outputs = infer_study(client, triton, files, parameters={"num_clips": 1})
        with PanEcho(server.grpc_url) as panecho:
            embedding = panecho.embed(cine, clip_options=ClipOptions(num_clips=1))[cine]
            with pytest.raises(RequestError, match="exported without tasks"):
                panecho.predict_study(cine)
    assert set(outputs) == {"embedding", "video_status", "clip_video", "key_frame", "video_digest"}
    np.testing.assert_allclose(outputs["embedding"][:1], expected["embedding"], rtol=0, atol=TOLERANCE)
    assert np.isnan(outputs["embedding"][1]).all()
    np.testing.assert_allclose(np.array(embedding)[None], expected["embedding"], rtol=0, atol=TOLERANCE)


@pytest.mark.long
def test_image_encoder_by_itself(tmp_path: Path) -> None:
    variant = Variant(parts=("image_encoder",))
    with served(tmp_path, variant) as server, triton.InferenceServerClient(server.grpc_url) as client:
        tensor = triton.InferInput("frames", [1, 224, 224, 3], "UINT8")
        tensor.set_data_from_numpy(uint8_clip(16)[0, :1])
        embedding = client.infer("image_encoder", [tensor]).as_numpy("frame_embedding")
        assert "STAND-IN" in server.weights_notice()
        with pytest.raises(InferenceServerException, match="unknown model"):
            client.infer("panecho", [tensor])
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(embedding, golden["uint8_first_frame_embedding"], rtol=0, atol=TOLERANCE)
