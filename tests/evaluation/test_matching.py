"""Labels and predictions find each other; what is left over is listed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.labels import LabelTable, read_labels
from panecho_evaluation.matching import match_studies
from panecho_evaluation.results import Results, read_results
from support.invented_results import chosen, write_study

EF, SIZE = chosen("EF", "LVSize")


def results(folder: Path, *names: str) -> Results:
    for number, name in enumerate(names):
        write_study(folder, name, f"patient-{number}", {f"{name}-v": {EF: [50.0 + number], SIZE: [0.2, 0.3, 0.5]}})
    return read_results(folder)


def labels(tmp_path: Path, text: str) -> LabelTable:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return read_labels(path, [EF, SIZE])


def as_named(study: str, files: Sequence[str]) -> list[str]:
    return [study] if study else [f"study-{Path(file).stem}" for file in files]


def test_unmatched_rows_and_studies_are_listed_on_both_sides(tmp_path: Path) -> None:
    found = results(tmp_path / "run", "study-a", "study-b", "study-c")
    table = labels(tmp_path, "study,EF\nstudy-c,60\nstudy-x,70\nstudy-a,55\n")
    matched = match_studies(table, {"run": found}, as_named)
    assert [found.studies[place] for place in matched.places["run"]] == ["study-a", "study-c"]
    assert matched.labels["EF"].tolist() == [55, 60]
    assert {(of.row, of.study, of.reason) for of in matched.unmatched} == {
        (3, "", "not predicted"),
        (None, "study-b", "no labels"),
    }


def test_a_study_that_failed_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    results(folder, "study-a")
    (folder / "failures.csv").write_text("study,files,code,reason\r\nstudy-b,v,DATA_LOSS,cut off\r\n")
    table = labels(tmp_path, "study,EF\nstudy-a,60\nstudy-b,70\n")
    (left,) = match_studies(table, {"run": read_results(folder)}, as_named).unmatched
    assert (left.row, left.reason) == (3, "prediction failed: DATA_LOSS")


def test_rows_of_a_study_are_joined_and_must_agree(tmp_path: Path) -> None:
    found = results(tmp_path / "run", "study-a", "study-b")
    rows = (
        "study,file,patient,EF,LVSize,view\nstudy-a,1.avi,,60,,A4C\nstudy-a,2.avi,M1,60,Normal,A2C\n"
        "study-b,3.avi,,,Normal,\n"
    )
    matched = match_studies(labels(tmp_path, rows), {"run": found}, as_named)
    assert matched.labels["EF"].tolist() == pytest.approx([60, np.nan], nan_ok=True)
    assert matched.labels["LVSize"].tolist() == [2, 2]
    assert matched.patients == ("M1", "")
    assert matched.columns["view"] == ("A4C", "")
    with pytest.raises(EvaluationError, match=r"EF differs between rows of one study \(2, 3\)"):
        match_studies(labels(tmp_path, rows.replace("M1,60", "M1,61")), {"run": found}, as_named)


def test_files_name_studies(tmp_path: Path) -> None:
    found = results(tmp_path / "run", "study-a", "study-b")
    matched = match_studies(labels(tmp_path, "file,EF\nx/b.avi,60\n"), {"run": found}, as_named)
    assert [found.studies[place] for place in matched.places["run"]] == ["study-b"]


def test_runs_are_compared_on_what_all_of_them_have(tmp_path: Path) -> None:
    runs = {
        "one": results(tmp_path / "one", "study-a", "study-b"),
        "two": results(tmp_path / "two", "study-b", "study-c"),
    }
    matched = match_studies(labels(tmp_path, "study,EF\nstudy-a,1\nstudy-b,2\nstudy-c,3\n"), runs, as_named)
    assert {run: places.tolist() for run, places in matched.places.items()} == {"one": [1], "two": [0]}
    assert {(of.run, of.row, of.study) for of in matched.unmatched} == {("one", 4, ""), ("two", 2, "")}


def test_nothing_that_matches_says_what_to_check(tmp_path: Path) -> None:
    found = results(tmp_path / "run", "study-a")
    table = labels(tmp_path, "study,EF\n1.2.3,60\n")
    with pytest.raises(EvaluationError, match="calls its first study study-a; the column study holds"):
        match_studies(table, {"run": found}, as_named)
    (tmp_path / "run/run.json").write_text('{"pseudonym_key": "secret-1"}')
    with pytest.raises(EvaluationError, match="give the --pseudonym-key of that run"):
        match_studies(table, {"run": read_results(tmp_path / "run")}, as_named)
    runs = {"one": results(tmp_path / "one", "study-a"), "two": results(tmp_path / "two", "study-b")}
    with pytest.raises(EvaluationError, match="one, two have no labelled study in common"):
        match_studies(labels(tmp_path, "study,EF\nstudy-a,1\nstudy-b,2\n"), runs, as_named)
