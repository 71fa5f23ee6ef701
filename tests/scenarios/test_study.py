"""A study through the real server against the same steps called as plain Python."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from panecho_model.architecture import PanEchoModel
from panecho_model.checkpoint import load_model
from panecho_model.stand_in import stand_in_weights, with_training_means
from panecho_model.tasks import TASKS
from panecho_postprocessing.aggregation import ClipOutputs, predict, read_heads
from panecho_preprocessing import ClipOptions, preprocess_study
from support.cines import different_cines
from support.wire import QUICK, Arrays, infer_study

GARBAGE = b"this is no video" * 64
PREDICTIONS = {task.key for task in TASKS} | {f"video/{task.key}" for task in TASKS} | {"embedding"}
TOLERANCE = 1e-4
Client: TypeAlias = triton.InferenceServerClient


@pytest.fixture(scope="session")
def model() -> PanEchoModel:
    return load_model(with_training_means(stand_in_weights(0)))


def as_plain_python(model: PanEchoModel, repository: Path, files: list[bytes], options: ClipOptions) -> Arrays:
    sizes = np.array([len(file) for file in files], np.int64)
    study = preprocess_study(np.frombuffer(b"".join(files), np.uint8), sizes, options, max_clips=128)
    with torch.inference_mode():
        logits, embedding = model(torch.from_numpy(study.clips))
    clips = ClipOutputs(
        logits=logits.numpy(),
        clip_embedding=embedding.numpy(),
        clip_video=study.clip_video,
        video_status=study.video_status,
    )
    return predict(read_heads(repository / "postprocessing/1/tasks.json"), clips, PREDICTIONS)


def assert_same(actual: Arrays, expected: Arrays) -> None:
    """Equal within 1e-4 absolute, whatever the unit."""
    assert set(expected) <= set(actual)
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, atol=TOLERANCE, rtol=0, err_msg=name)


@pytest.mark.slow
def test_equals_the_same_steps_as_plain_python(
    client: Client, model: PanEchoModel, repository: Path, cine: Path, colour_cine: bytes
) -> None:
    files = [cine.read_bytes(), colour_cine]
    outputs = infer_study(client, triton, files, parameters={"num_clips": 2})
    assert_same(outputs, as_plain_python(model, repository, files, ClipOptions(num_clips=2)))
    assert outputs["clip_logits"].shape == (4, 58)
    assert outputs["clip_video"].tolist() == [0, 0, 1, 1]
    assert [status.partition(b":")[0] for status in outputs["video_status"].tolist()] == [
        b"ok",
        b"ok",
    ]  # GE: a slow one


def test_equals_plain_python_with_parameters(client: Client, model: PanEchoModel, repository: Path, cine: Path) -> None:
    """From a bare clone too: one shipped cine, other than default parameters."""
    options = ClipOptions(num_clips=2, clip_length=5, frame_stride=3)
    parameters = {"num_clips": 2, "clip_length": 5, "frame_stride": 3}
    outputs = infer_study(client, triton, [cine.read_bytes()], parameters=parameters)
    assert_same(outputs, as_plain_python(model, repository, [cine.read_bytes()], options))


def test_only_what_is_asked_for_is_answered(client: Client, cine: Path) -> None:
    wanted = ["EF", "video/AVStenosis", "video_status"]
    outputs = infer_study(client, triton, [cine.read_bytes()], wanted, QUICK)
    assert sorted(outputs) == sorted(wanted)
    assert outputs["EF"].shape == (1,)
    assert outputs["video/AVStenosis"].shape == (1, 3)


@pytest.mark.parametrize("name", ["video_status", "clip_logits", "clip_video", "embedding"])
def test_any_output_can_be_asked_for_alone(client: Client, cine: Path, name: str) -> None:
    outputs = infer_study(client, triton, [cine.read_bytes()], [name], QUICK)
    assert list(outputs) == [name]
    assert len(outputs[name]) == 1


def test_everything_is_answered_when_nothing_is_asked_for(client: Client, cine: Path) -> None:
    outputs = infer_study(client, triton, [cine.read_bytes()], parameters=QUICK)
    assert set(outputs) == PREDICTIONS | {"video_status", "clip_logits", "clip_video", "key_frame", "video_digest"}


@pytest.mark.slow
def test_studies_sent_at_once_answer_as_one_at_a_time(client: Client, cine: Path, colour_cine: bytes) -> None:
    studies = [[cine.read_bytes()], [colour_cine], [colour_cine, cine.read_bytes()]]
    parameters: dict[str, int | str] = {"num_clips": 2, "clip_length": 8}
    alone = [infer_study(client, triton, study, parameters=parameters) for study in studies]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda study: infer_study(client, triton, study, parameters=parameters), studies))
    for one, other in zip(alone, together, strict=True):
        for name in ("video_status", "clip_video", "video_digest"):
            assert one.pop(name).tolist() == other.pop(name).tolist()
        assert_same(other, one)


def test_garbage_in_a_study_yields_its_status_and_the_others_results(client: Client, cine: Path) -> None:
    good = cine.read_bytes()
    alone = infer_study(client, triton, [good], parameters=QUICK)
    outputs = infer_study(client, triton, [GARBAGE, good, b""], parameters=QUICK)
    statuses = [status.decode() for status in outputs["video_status"]]
    assert statuses[0].startswith("NOT_A_VIDEO: ")
    assert statuses[1] == "ok"
    assert statuses[2].startswith("EMPTY_FILE: ")
    for task in TASKS:
        videos = outputs[f"video/{task.key}"]
        assert np.isnan(videos[[0, 2]]).all()
        np.testing.assert_allclose(videos[1], alone[f"video/{task.key}"][0], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(outputs[task.key], alone[task.key], atol=TOLERANCE, rtol=0)


def refusal(client: Client, files: list[bytes], parameters: dict[str, int | str]) -> str:
    """Return the message with which the server refuses the caller's request."""
    with pytest.raises(InferenceServerException) as caught:
        infer_study(client, triton, files, ["EF"], parameters)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    message = str(caught.value.message())
    assert "Traceback" not in message
    assert 'File "' not in message
    return message


def test_on_error_fail_names_the_file(client: Client, cine: Path) -> None:
    message = refusal(client, [cine.read_bytes(), GARBAGE], {**QUICK, "on_error": "fail"})
    assert "video_sizes[1]: NOT_A_VIDEO" in message


def test_no_usable_video_lists_each_status(client: Client) -> None:
    message = refusal(client, [GARBAGE, b""], {})
    assert "video_sizes[0]: NOT_A_VIDEO" in message
    assert "video_sizes[1]: EMPTY_FILE" in message


def test_too_many_clips_say_how_to_split(client: Client, cine: Path) -> None:
    message = refusal(client, different_cines(cine.read_bytes(), 9), {"num_clips": 16, "clip_length": 1})
    assert "128" in message
    assert "num_clips" in message


@pytest.mark.parametrize(
    ("name", "value"), [("num_clips", 0), ("clip_length", "many"), ("frame_stride", -1), ("on_error", "ignore")]
)
def test_bad_parameter_is_named(client: Client, cine: Path, name: str, value: int | str) -> None:
    message = refusal(client, [cine.read_bytes()], {name: value})
    assert name in message
    assert str(value) in message


def test_sizes_that_do_not_add_up(client: Client, cine: Path) -> None:
    data = np.frombuffer(cine.read_bytes(), np.uint8)
    inputs = [triton.InferInput("video_bytes", [len(data)], "UINT8"), triton.InferInput("video_sizes", [1], "INT64")]
    inputs[0].set_data_from_numpy(data)
    inputs[1].set_data_from_numpy(np.array([len(data) + 1], np.int64))
    with pytest.raises(InferenceServerException, match="video_sizes") as caught:
        client.infer("panecho", inputs)
    assert str(len(data)) in caught.value.message()


def aggregate(
    client: Client, logits: NDArray[np.float32], clip_video: list[int], statuses: list[str]
) -> triton.InferResult:
    """Send the logits of clips to the model that aggregates them, by itself."""
    tensors = {
        "logits": (logits, "FP32"),
        "clip_embedding": (np.zeros((len(logits), 768), np.float32), "FP32"),
        "clip_video": (np.array(clip_video, np.int32), "INT32"),
        "video_status": (np.array([status.encode() for status in statuses], np.object_), "BYTES"),
    }
    inputs = []
    for name, (array, data_type) in tensors.items():
        inputs.append(triton.InferInput(name, list(array.shape), data_type))
        inputs[-1].set_data_from_numpy(array)
    return client.infer("postprocessing", inputs)


def test_a_video_for_which_the_model_gave_no_numbers_is_reported_and_not_averaged(client: Client) -> None:
    logits = np.random.default_rng(0).normal(size=(3, 58)).astype(np.float32)
    expected = aggregate(client, logits[2:], [0], ["ok"])
    logits[0, 7] = np.nan
    result = aggregate(client, logits, [0, 0, 1], ["ok", "ok"])
    assert [status.split(b":")[0] for status in result.as_numpy("video_status")] == [b"MODEL_FAILED", b"ok"]
    for task in TASKS:
        np.testing.assert_array_equal(result.as_numpy(task.key), expected.as_numpy(task.key))
        assert np.isnan(result.as_numpy(f"video/{task.key}")[0]).all()


def test_aggregation_by_itself_from_gathered_logits(client: Client, cine: Path) -> None:
    """What a caller does who sends a study as several requests."""
    files = [cine.read_bytes(), cine.read_bytes()]
    requests = [{"num_clips": 2, "clip_length": 4}, {"num_clips": 1, "clip_length": 4}]
    parts = [
        infer_study(client, triton, [file], ["clip_logits"], parameters)
        for file, parameters in zip(files, requests, strict=True)
    ]
    logits = np.concatenate([part["clip_logits"] for part in parts])
    result = aggregate(client, logits, [0, 0, 1], ["ok", "ok"])
    column = next(head for head in read_heads(_tasks_json()) if head.key == "EF").columns
    expected = (logits[:2, column].mean() + logits[2, column].mean()) / 2
    assert result.as_numpy("EF")[0] == pytest.approx(expected, abs=TOLERANCE)


def _tasks_json() -> Path:
    return Path(__file__).parents[2] / "model_repository/postprocessing/1/tasks.json"
