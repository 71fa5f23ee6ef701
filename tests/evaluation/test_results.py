"""Results as ``panecho predict`` writes them: read whole, and refused where they are not what they should be."""

import json
from pathlib import Path

import numpy as np
import pytest

from panecho_client._description import Weights
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.results import read_results, read_videos
from panecho_model.tasks import Task
from support.invented_results import chosen, write_study

EFFUSION, EF, STENOSIS = chosen("pericardial-effusion", "EF", "AVStenosis")
NEW_TASK = Task(key="LVThrombus", kind="binary", group="", description="", classes=("Absent", "Present"))
OTHER = Weights(name="other", sha256="cd" * 32, stand_in=True, licence=None, notice=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two studies; the first has two videos that were used and one that was not."""
    one = {EFFUSION: [0.2], EF: [50.0], STENOSIS: [0.1, 0.7, 0.2]}
    other = {EFFUSION: [0.4], EF: [60.0], STENOSIS: [0.3, 0.3, 0.4]}
    write_study(tmp_path, "study-a", "patient-1", {"v1": one, "v2": other, "v3": None})
    write_study(tmp_path, "study-b", None, {"v4": other})
    return tmp_path


def test_studies_are_read_with_what_the_run_did(folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"num_clips": 4, "framing": "masked"}))
    (folder / "failures.csv").write_text("study,files,code,reason\r\nstudy-c,v5,INVALID_ARGUMENT,no usable video\r\n")
    results = read_results(folder)
    assert [task.key for task in results.tasks] == ["pericardial-effusion", "EF", "AVStenosis"]
    assert results.tasks[0] == EFFUSION
    assert results.studies == ("study-a", "study-b")
    assert results.patients == ("patient-1", "")
    assert results.values["EF"].tolist() == [[55.0], [60.0]]
    assert results.values["AVStenosis"][0] == pytest.approx([0.2, 0.5, 0.3])
    assert results.videos_used.tolist() == [2, 1]
    assert (results.files, results.skipped) == (4, {"NOT_A_CINE": 1})
    assert results.origin["weights"] == "invented"
    assert results.settings["framing"] == "masked"
    assert results.failures == {"study-c": "INVALID_ARGUMENT"}


def test_a_long_table_alone_holds_the_same(folder: Path) -> None:
    whole, long = read_results(folder), read_results(folder / "predictions.csv")
    assert (long.tasks, long.studies, long.patients) == (whole.tasks, whole.studies, whole.patients)
    assert (long.files, long.skipped, long.origin) == (whole.files, whole.skipped, whole.origin)
    assert long.videos_used.tolist() == whole.videos_used.tolist()
    for key, values in whole.values.items():
        assert (long.values[key] == values).all()


def test_videos_are_read_with_their_studies(folder: Path) -> None:
    videos = read_videos(read_results(folder))
    assert videos.study.tolist() == [0, 0, 1]
    assert videos.values["EF"].tolist() == [[50.0], [60.0], [60.0]]
    assert videos.values["AVStenosis"].shape == (3, 3)


def test_a_wide_table_alone_is_of_released_tasks(folder: Path, tmp_path: Path) -> None:
    results = read_results(folder / "studies.csv")
    assert [task.key for task in results.tasks] == ["pericardial-effusion", "EF", "AVStenosis"]
    with pytest.raises(EvaluationError, match="no predictions of videos"):
        read_videos(results)
    write_study(tmp_path / "new", "study-a", None, {"v1": {NEW_TASK: [0.25]}})
    with pytest.raises(EvaluationError, match=r"'lvthrombus_present' is not of a task.*keep predictions\.csv"):
        read_results(tmp_path / "new/studies.csv")


def test_a_task_that_only_this_model_has(tmp_path: Path) -> None:
    write_study(tmp_path, "study-a", None, {"v1": {NEW_TASK: [0.25]}})
    (task,) = read_results(tmp_path).tasks
    assert (task.key, task.kind, task.positive_class) == ("LVThrombus", "binary", "Present")


def test_a_prediction_that_is_no_number_is_missing(tmp_path: Path) -> None:
    write_study(tmp_path, "study-a", None, {"v1": {EF: [np.nan]}})
    assert np.isnan(read_results(tmp_path).values["EF"]).all()
    assert np.isnan(read_results(tmp_path / "predictions.csv").values["EF"]).all()


@pytest.mark.parametrize("table", ["studies.csv", "predictions.csv"])
def test_results_of_two_models_are_refused(folder: Path, table: str) -> None:
    one = {EFFUSION: [0.2], EF: [50.0], STENOSIS: [0.1, 0.7, 0.2]}
    write_study(folder, "study-d", None, {"v9": one}, weights=OTHER)
    with pytest.raises(EvaluationError, match="two models: weights is 'invented' and 'other'"):
        read_results(folder / table)


@pytest.mark.parametrize("table", ["studies.csv", "predictions.csv"])
def test_a_study_that_is_there_twice_is_refused(folder: Path, table: str) -> None:
    write_study(folder, "study-a", None, {"v9": {EFFUSION: [0.2], EF: [50.0], STENOSIS: [0.1, 0.7, 0.2]}})
    with pytest.raises(EvaluationError, match="study-a more than once"):
        read_results(folder / table)


def test_what_is_not_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"gone does not exist; name what `panecho predict"):
        read_results(tmp_path / "gone")
    with pytest.raises(EvaluationError, match=r"holds no studies\.csv"):
        read_results(tmp_path)
    table = tmp_path / "studies.csv"
    for content, reason in {
        b"": "is empty",
        b"study,EF\r\n": "no column model",
        b"study,EF\r\na,\xff\r\n": "UTF-8",
        b"task,study\r\n": "no column",
    }.items():
        table.write_bytes(content)
        with pytest.raises(EvaluationError, match=reason):
            read_results(tmp_path)


def test_damaged_tables_name_the_place(folder: Path) -> None:
    table = folder / "studies.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("60.0", "sixty"), encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"damaged at study study-b: .*sixty"):
        read_results(folder)
    table.write_text(text[: text.rindex("invented")], encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"row 3 has \d+ fields and the header \d+"):
        read_results(folder)


def test_no_study_at_all_is_said(tmp_path: Path) -> None:
    write_study(tmp_path, "study-a", None, {"v1": {EF: [50.0]}})
    table = tmp_path / "studies.csv"
    table.write_text(table.read_text().split("\n")[0] + "\n")
    with pytest.raises(EvaluationError, match="holds no study"):
        read_results(tmp_path)
