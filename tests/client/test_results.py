import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_client import IncompatibleServerError, RequestError, StudyResult, UnknownTaskError
from panecho_client._description import Description
from panecho_client._responses import build_study, output_names
from panecho_client.outputs import long_rows
from support.reported_studies import reported

Outputs = dict[str, NDArray[np.generic]]


def build(description: Description, outputs: Outputs) -> StudyResult:
    files = [Path("a"), Path("b")]
    return build_study(outputs, description.tasks, files, weights=description.weights, parameters={})


def test_regression(study: StudyResult, outputs: Outputs) -> None:
    prediction = study["EF"]
    assert prediction.value == float(outputs["EF"][0])
    assert (prediction.label, dict(prediction.probabilities)) == (None, {})


@pytest.mark.parametrize("key", ["MVStenosis", "LVWallMotionAbnormalities"])
def test_binary_reports_the_positive_class_wherever_it_stands(study: StudyResult, outputs: Outputs, key: str) -> None:
    prediction = study[key]
    positive = prediction.task.positive_class
    assert positive is not None
    assert prediction.value == prediction.probabilities[positive] == float(outputs[key][0])
    assert list(prediction.probabilities) == list(prediction.task.classes)
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert prediction.label == max(prediction.probabilities, key=lambda name: prediction.probabilities[name])


def test_multiclass(study: StudyResult, outputs: Outputs) -> None:
    prediction = study["AVStenosis"]
    assert list(prediction.probabilities.values()) == outputs["AVStenosis"].tolist()
    assert prediction.label == prediction.task.classes[int(outputs["AVStenosis"].argmax())]
    assert prediction.value == outputs["AVStenosis"].max()


def test_videos(study: StudyResult, outputs: Outputs) -> None:
    used, skipped = study.videos
    assert used.ok
    assert used["EF"].value == float(outputs["video/EF"][0, 0])
    assert used.embedding is not None
    np.testing.assert_array_equal(used.embedding, outputs["embedding"][0])
    assert not skipped.ok
    assert skipped.status.startswith("NOT_A_VIDEO")
    assert (dict(skipped.predictions), skipped.embedding) == ({}, None)
    assert study.skipped == (skipped,)


def test_key_frames_are_those_of_used_videos(description: Description, outputs: Outputs) -> None:
    assert build(description, outputs).videos[0].key_frame is None
    frames = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), np.uint8)
    used, skipped = build(description, outputs | {"key_frame": frames}).videos
    assert used.key_frame is not None
    np.testing.assert_array_equal(used.key_frame, frames[0])
    assert skipped.key_frame is None
    with pytest.raises(IncompatibleServerError, match=r"key_frame' with shape \[0, 224, 224, 3\]"):
        build(description, outputs | {"key_frame": frames[:0]})


def test_missing_prediction_is_a_key_error_that_helps(study: StudyResult) -> None:
    with pytest.raises(KeyError, match="did you mean AVStenosis"):
        study["AVStenoses"]
    with pytest.raises(UnknownTaskError, match="NOT_A_VIDEO"):
        study.videos[1]["EF"]


def test_json_holds_everything_and_is_strict(study: StudyResult) -> None:
    parsed = json.loads(study.to_json(), parse_constant=pytest.fail)
    assert parsed == study.to_dict()
    assert len(parsed["predictions"]) == 40
    assert parsed["predictions"]["EF"]["unit"] == "%"
    assert parsed["weights"]["stand_in"] is True
    assert any("mean nothing clinically" in warning for warning in parsed["warnings"])
    assert parsed["parameters"] == {"num_clips": 4, "on_error": "skip"}
    assert [video["path"] for video in parsed["videos"]] == ["study/a.dcm", "study/[b] notes.txt"]
    assert parsed["videos"][1]["predictions"] == {}
    assert "embedding" not in parsed["videos"][0]


def test_json_holds_embeddings_on_request(study: StudyResult) -> None:
    used, skipped = json.loads(study.to_json(embedding=True))["videos"]
    assert len(used["embedding"]) == 768
    assert skipped["embedding"] is None


def test_not_a_number_becomes_null(description: Description, outputs: Outputs) -> None:
    outputs |= {key: np.full_like(outputs[key], np.nan) for key in ("EF", "MVStenosis", "AVStenosis")}
    predictions = build(description, outputs).to_dict()["predictions"]
    assert [predictions[key]["value"] for key in ("EF", "MVStenosis", "AVStenosis")] == [None] * 3
    assert predictions["AVStenosis"]["label"] is None
    assert set(predictions["AVStenosis"]["probabilities"].values()) == {None}


def test_real_weights_are_no_stand_ins(description: Description, outputs: Outputs) -> None:
    study = build(description, outputs)
    assert len(study.warnings) == 2
    assert study.weights == description.weights


def test_missing_output_is_named(description: Description, outputs: Outputs) -> None:
    del outputs["video/EF"]
    with pytest.raises(IncompatibleServerError, match="did not send 'video/EF'"):
        build(description, outputs)


@pytest.mark.parametrize("name", ["EF", "video/AVStenosis", "video_status", "embedding"])
def test_output_of_another_shape_is_named(description: Description, outputs: Outputs, name: str) -> None:
    outputs[name] = outputs[name][None]
    with pytest.raises(IncompatibleServerError, match=f"'{name}' with shape"):
        build(description, outputs)


def test_only_what_is_needed_is_requested(description: Description) -> None:
    task = next(task for task in description.tasks if task.key == "EF")
    assert output_names([task], embedding=False) == ["EF", "video/EF", "video_status"]
    assert output_names([task], embedding=True) == ["EF", "video/EF", "embedding", "video_status"]


def test_a_result_is_used_as_a_mapping_and_a_prediction_as_a_number(study: StudyResult) -> None:
    assert "EF" in study
    assert "unknown" not in study
    assert list(study) == list(study.predictions)
    assert dict(study) == dict(study.predictions)
    assert float(study["EF"]) == study["EF"].value
    video, skipped = study.videos
    assert dict(video) == dict(video.predictions)
    assert (len(skipped), bool(skipped)) == (0, True)
    assert repr(study) == "<StudyResult: 40 predictions from 1 of 2 files>"
    assert repr(study["EF"]).startswith("<EF 0.")


def test_a_dataframe_has_the_rows_of_the_long_table() -> None:
    study, identity = reported("severe")
    rows = [row for row in long_rows(study, identity) if row["video"] is None]
    table = study.to_dataframe()
    assert [*table["variable"]] == [row["variable"] for row in rows]
    assert [*table["value"]] == [row["value"] for row in rows]
    spreads = {row["variable"]: row["sd"] for row in rows}
    assert table.loc[table["variable"] == "ef", "sd"].item() == spreads["ef"]
    severe = table.loc[table["predicted"].eq(True), "class"]
    assert "AVStenosis:Severe" in {*severe}


def test_a_dataframe_of_videos_names_each(study: StudyResult) -> None:
    table = study.to_dataframe(videos=True)
    assert [*table["video"].dropna().unique()] == [str(video.path) for video in study.videos]
    assert table.iloc[-1]["status"].startswith("NOT_A_VIDEO")
    assert table.iloc[-1].isna()["value"]


def test_without_pandas_a_dataframe_says_what_to_install(study: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RequestError, match="needs pandas: pip install pandas"):
        study.to_dataframe()


def test_a_notebook_shows_measurements_and_classes_apart(study: StudyResult) -> None:
    shown = study._repr_html_()
    measurements, _, classes = shown.partition("<th>Classification</th>")
    assert "<td>EF</td>" in measurements
    assert "<td>AVStenosis</td>" in classes
    assert "Not for clinical use. stand-in weights" in shown
    assert "notes.txt" not in shown
    odd = replace(study, weights=replace(study.weights, name="<script>"))
    assert "&lt;script&gt;" in odd._repr_html_()
