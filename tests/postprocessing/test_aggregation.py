"""Head splitting and aggregation, against the formulas written out."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_postprocessing.aggregation import (
    ClipOutputs,
    InvalidClipsError,
    InvalidTasksError,
    predict,
    read_clips,
    read_heads,
)

HEADS = read_heads(Path(__file__).parents[2] / "model_repository/postprocessing/1/tasks.json")
COLUMNS = {head.key: head.columns for head in HEADS}
RNG = np.random.default_rng(0)


def make_clips(clip_video: list[int], video_status: list[str]) -> ClipOutputs:
    count = len(clip_video)
    return ClipOutputs(
        logits=RNG.normal(size=(count, 58)).astype(np.float32),
        clip_embedding=RNG.normal(size=(count, 768)).astype(np.float32),
        clip_video=np.array(clip_video, np.int32),
        video_status=video_status,
    )


def sigmoid(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))))


def softmax(x: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(x.astype(np.float64))
    return np.asarray(powers / powers.sum())


def test_heads_cover_the_logits() -> None:
    assert [head.columns.start for head in HEADS] == [0, *(head.columns.stop for head in HEADS[:-1])]
    assert HEADS[-1].columns.stop == 58


def test_logits_are_averaged_before_they_are_activated_and_videos_after() -> None:
    clips = make_clips([0, 0, 2, 2, 2], ["ok", "NOT_A_VIDEO: x", "ok"])
    outputs = predict(HEADS, clips, {"LVSize", "video/LVSize"})
    columns = COLUMNS["LVSize"]
    first = softmax(clips.logits[:2, columns].mean(axis=0))
    third = softmax(clips.logits[2:, columns].mean(axis=0))
    np.testing.assert_allclose(outputs["video/LVSize"][[0, 2]], [first, third], atol=1e-6)
    assert np.isnan(outputs["video/LVSize"][1]).all()
    np.testing.assert_allclose(outputs["LVSize"], (first + third) / 2, atol=1e-6)
    assert set(outputs) == {"LVSize", "video/LVSize"}


@pytest.mark.parametrize(
    ("key", "inverted"), [("LVOT20mmHg", False), ("AVStructure", True), ("pericardial-effusion", True)]
)
def test_binary(key: str, *, inverted: bool) -> None:
    clips = make_clips([0], ["ok"])
    probability = sigmoid(clips.logits[0, COLUMNS[key]])
    expected = 1 - probability if inverted else probability
    np.testing.assert_allclose(predict(HEADS, clips, {key})[key], expected, atol=1e-6)


def test_regression_is_the_mean_of_the_heads_output() -> None:
    clips = make_clips([0, 0, 1], ["ok", "ok"])
    ef = clips.logits[:, COLUMNS["EF"]]
    expected = (ef[:2].mean(axis=0) + ef[2]) / 2
    np.testing.assert_allclose(predict(HEADS, clips, {"EF"})["EF"], expected, atol=1e-6)


def test_embedding_is_the_mean_of_a_videos_clips() -> None:
    clips = make_clips([1, 1], ["NOT_A_CINE: x", "ok"])
    embedding = predict(HEADS, clips, {"embedding"})["embedding"]
    assert np.isnan(embedding[0]).all()
    np.testing.assert_allclose(embedding[1], clips.clip_embedding.mean(axis=0), atol=1e-6)


def test_order_of_the_clips_does_not_matter() -> None:
    clips = make_clips([0, 1, 0, 1], ["ok", "ok"])
    order = [3, 0, 1, 2]
    shuffled = ClipOutputs(
        logits=clips.logits[order],
        clip_embedding=clips.clip_embedding[order],
        clip_video=clips.clip_video[order],
        video_status=clips.video_status,
    )
    names = {"EF", "AVStenosis", "embedding"}
    expected, actual = predict(HEADS, clips, names), predict(HEADS, shuffled, names)
    assert all(np.allclose(expected[name], actual[name], atol=1e-6) for name in names)


def test_extreme_logits_do_not_overflow() -> None:
    clips = make_clips([0], ["ok"])
    clips.logits[:] = np.where(np.arange(58) % 2, 1e4, -1e4)
    outputs = predict(HEADS, clips, set(COLUMNS))
    assert all(np.isfinite(array).all() for array in outputs.values())


def test_everything_asked_for_has_its_shape_and_type() -> None:
    clips = make_clips([0, 1], ["ok", "ok"])
    names = {*COLUMNS, *(f"video/{key}" for key in COLUMNS), "embedding"}
    outputs = predict(HEADS, clips, names)
    assert set(outputs) == names
    assert all(array.dtype == np.float32 for array in outputs.values())
    assert outputs["AVStenosis"].shape == (3,)
    assert outputs["video/AVStenosis"].shape == (2, 3)
    assert outputs["EF"].shape == (1,)
    assert outputs["video/EF"].shape == (2, 1)
    assert outputs["embedding"].shape == (2, 768)


def test_no_usable_video_lists_each_status() -> None:
    with pytest.raises(
        InvalidClipsError, match=r"could be used: video_sizes\[0\]: NOT_A_VIDEO: x; video_sizes\[1\]: EMPTY_FILE: y"
    ):
        predict(HEADS, make_clips([], ["NOT_A_VIDEO: x", "EMPTY_FILE: y"]), {"EF"})


@pytest.mark.parametrize("clip_video", [[0, 2], [-1, 0]])
def test_clip_of_a_video_that_is_not_there(clip_video: list[int]) -> None:
    with pytest.raises(InvalidClipsError, match=r"clip_video holds .* but video_status names 2 videos"):
        predict(HEADS, make_clips(clip_video, ["ok", "ok"]), {"EF"})


def test_rows_that_do_not_agree() -> None:
    clips = make_clips([0, 1], ["ok", "ok"])
    short = ClipOutputs(
        logits=clips.logits[:1],
        clip_embedding=clips.clip_embedding,
        clip_video=clips.clip_video,
        video_status=["ok", "ok"],
    )
    with pytest.raises(InvalidClipsError, match="logits has 1 clips, clip_embedding 2 and clip_video 2"):
        predict(HEADS, short, {"EF"})


@pytest.mark.parametrize("tensor", ["logits", "clip_embedding"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_video_without_finite_numbers_is_reported_and_not_averaged(tensor: str, value: float) -> None:
    clips = make_clips([0, 0, 1, 1], ["ok", "ok", "NOT_A_CINE: x"])
    alone = predict(HEADS, clips, {"video/EF"})
    getattr(clips, tensor)[1, 3] = value
    usable = clips.finite()
    assert usable.video_status == [
        "MODEL_FAILED: the model's numbers for this video are not finite; the exported model may be damaged",
        "ok",
        "NOT_A_CINE: x",
    ]
    outputs = predict(HEADS, usable, {"EF", "video/EF", "AVStenosis", "embedding"})
    assert np.isnan(outputs["video/EF"][0]).all()
    np.testing.assert_array_equal(outputs["video/EF"][1], alone["video/EF"][1])
    np.testing.assert_array_equal(outputs["EF"], alone["video/EF"][1])
    assert np.isfinite(outputs["AVStenosis"]).all()
    assert np.isnan(outputs["embedding"][0]).all()


def test_finite_clips_are_left_as_they_are() -> None:
    clips = make_clips([0, 1], ["ok", "ok"])
    assert clips.finite() is clips


def test_a_study_of_failed_videos_alone_is_refused() -> None:
    clips = make_clips([0, 1], ["ok", "ok"])
    clips.logits[:, 0] = np.nan
    with pytest.raises(
        InvalidClipsError, match=r"video_sizes\[0\]: MODEL_FAILED: .*; video_sizes\[1\]: MODEL_FAILED: "
    ):
        clips.finite()


def test_a_status_that_is_no_text() -> None:
    tensors = {"clip_embedding": np.zeros((1, 768), np.float32), "clip_video": np.zeros(1, np.int32)}
    with pytest.raises(InvalidClipsError, match="video_status holds bytes that are no UTF-8 text"):
        read_clips({**tensors, "video_status": np.array([b"\xff"], np.object_)})


@pytest.mark.parametrize("content", ["", "[{]", '[{"key": "EF"}]', "7", "[7]"])
def test_tasks_that_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "tasks.json").write_text(content)
    with pytest.raises(
        InvalidTasksError, match=r"tasks\.json is not what `panecho export` writes \(.*\); export again"
    ):
        read_heads(tmp_path / "tasks.json")


def test_tasks_of_another_model() -> None:
    tasks_json = Path(__file__).parents[2] / "model_repository/postprocessing/1/tasks.json"
    assert len(read_heads(tasks_json, 58)) == 40
    with pytest.raises(InvalidTasksError, match=r"tasks\.json is of 58 numbers, logits of 4; export again"):
        read_heads(tasks_json, 4)
