"""A model that is about to be served, judged on labelled studies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_evaluation.candidate import CandidateEvaluation
from panecho_evaluation.errors import EvaluationError
from support.invented_results import chosen, client_task

EF, STENOSIS = chosen("EF", "AVStenosis")
TASKS = [client_task(EF), client_task(STENOSIS)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two studies: of a file that says 50 and one that says 60, and of a folder with a note beside its only video."""
    (tmp_path / "folder").mkdir()
    for name, text in {"a.avi": "50", "b.avi": "60", "folder/c.avi": "30", "folder/note.txt": "unusable"}.items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "table.csv"
    path.write_text("study,file,EF,AVStenosis\none,a.avi,54,Severe\none,b.avi,54,\ntwo,folder,33,None\n")
    return path


def predict(path: Path) -> Mapping[str, NDArray[Any]] | None:
    """What a model would answer whose EF is the file's text."""
    if path.read_text() == "unusable":
        return None
    return {"EF": np.array([float(path.read_text())], np.float32), "AVStenosis": np.array([0.1, 0.3, 0.6], np.float32)}


def test_a_study_is_the_mean_of_the_files_that_can_be_used(table: Path) -> None:
    # Of study one 55 for 54, of study two 30 for 33.
    assert CandidateEvaluation(table, ["EF:mae<=2"])(TASKS, predict) == []
    assert CandidateEvaluation(table, ["EF:mae<=1.9", "AVStenosis:accuracy>=0.6"])(TASKS, predict) == [
        "the new model: EF:mae is 2, not <= 1.9",
        "the new model: AVStenosis:accuracy is 0.5, not >= 0.6",
    ]


def test_a_study_without_any_usable_file_is_a_reason(table: Path) -> None:
    (table.parent / "folder/c.avi").write_text("unusable")
    (reason,) = CandidateEvaluation(table, ["EF:mae<=2"])(TASKS, predict)
    assert reason.startswith("1 of 2 studies of ")
    assert len(CandidateEvaluation(table, ["EF:mae<=2"])(TASKS, lambda _: None)) == 1


def test_a_bound_on_a_task_that_the_model_lacks_is_a_reason(table: Path) -> None:
    (reason,) = CandidateEvaluation(table, ["GLS:mae<=2"])(TASKS, predict)
    assert "GLS:mae<=2 is about what was not evaluated" in reason


def test_what_cannot_be_used_is_refused_before_the_model_is_asked(table: Path) -> None:
    with pytest.raises(EvaluationError, match="there is no metric 'error'"):
        CandidateEvaluation(table, ["EF:error<=2"])
    (table.parent / "a.avi").unlink()
    with pytest.raises(EvaluationError, match="row 2: the file does not exist"):
        CandidateEvaluation(table, ["EF:mae<=2"])
