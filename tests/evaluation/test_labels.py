"""Tables of labels: what a cell may say, and every fault named with its row."""

from pathlib import Path

import numpy as np
import pytest

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.label_values import LabelParser
from panecho_evaluation.labels import read_labels
from panecho_model.tasks import TASKS, Task
from support.invented_results import chosen

EFFUSION, EF, REGURGITATION = chosen("pericardial-effusion", "EF", "AVRegurg")
(SIZE,) = chosen("LVSize")
(HYPERTROPHY,) = chosen("LVWallThickness-increased-any")


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Moderate|Severe", 1),
        ("moderate|severe", 1),
        ("Moderate", 1),
        ("severe", 1),
        ("Mild", 0),
        ("None|Trace", 2),
        ("none", 2),
        (" TRACE ", 2),
    ],
)
def test_classes_go_by_name_and_by_part(text: str, label: int) -> None:
    assert LabelParser(REGURGITATION).parse(text) == label


def test_parts_share_the_words_after_them() -> None:
    parser = LabelParser(SIZE)
    assert parser.parse("Moderately Increased") == parser.parse("severely_increased") == 1
    assert parser.parse("Mildly Increased") == 0


def test_binary_labels_are_about_the_positive_class_however_the_model_is_inverted() -> None:
    assert EFFUSION.inverted
    parser = LabelParser(EFFUSION)
    assert parser.parse("mild_mod_severe") == parser.parse("Mild Mod Severe") == parser.parse("1") == 1
    assert parser.parse("none_trace") == parser.parse("no") == parser.parse("0.0") == 0
    assert LabelParser(HYPERTROPHY).parse("Increased") == 1


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.key)
def test_every_released_class_is_understood(task: Task) -> None:
    parser = LabelParser(task)
    for index, name in enumerate(task.classes):
        expected = float(name == task.positive_class) if task.kind == "binary" else index
        assert parser.parse(name) == expected


@pytest.mark.parametrize("text", ["", "  ", "NaN", "n/a", "NA", "null"])
def test_missing_labels(text: str) -> None:
    assert np.isnan(LabelParser(EF).parse(text))
    assert np.isnan(LabelParser(REGURGITATION).parse(text))


def test_numbers() -> None:
    assert LabelParser(EF).parse("55.5") == 55.5
    assert LabelParser(EF, decimal_comma=True).parse("55,5") == 55.5
    for text in ("55,5", "fifty", "inf", "-inf", "55 %"):
        with pytest.raises(ValueError, match="is not a number"):
            LabelParser(EF).parse(text)


def test_a_table_with_everything(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Study Instance UID,PatientID,Split,ef,AVRegurg,Sex\r\n"
        "1.2.3,MRN1,test,55.5,Mild,F\r\n\r\n1.2.4,,train,,severe,\r\n",
        "utf-8-sig",
    )
    labels = read_labels(path, [EFFUSION, EF, REGURGITATION])
    assert labels.studies == ("1.2.3", "1.2.4")
    assert labels.patients == ("MRN1", "")
    assert labels.values["EF"].tolist() == pytest.approx([55.5, np.nan], nan_ok=True)
    assert labels.values["AVRegurg"].tolist() == [0, 1]
    assert labels.columns["Sex"] == ("F", "")
    assert labels.columns["split"] == ("test", "train")
    assert read_labels(path, [EF], splits=["test"]).studies == ("1.2.3",)


def test_tables_as_spreadsheets_write_them(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path, "study;EF\n1.2.3;55,5\n1.2.4;60\n"), [EF])
    assert labels.values["EF"].tolist() == [55.5, 60]
    labels = read_labels(table(tmp_path, "study\tEF\n1.2.3\t55.5\n"), [EF])
    assert labels.values["EF"].tolist() == [55.5]


def test_files_name_studies_too(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path, "video,EF\na/b.avi,55\n"), [EF])
    assert (labels.files, labels.studies) == (("a/b.avi",), ("",))


def test_all_wrong_labels_are_named_at_once_without_the_study(tmp_path: Path) -> None:
    path = table(tmp_path, "study,EF,AVRegurg\n1.2.3,high,Mild\n1.2.4,55,huge\n")
    with pytest.raises(EvaluationError) as raised:
        read_labels(path, [EF, REGURGITATION])
    text = str(raised.value)
    assert "row 2, EF: 'high' is not a number" in text
    assert "row 3, AVRegurg: 'huge' is not one of Mild, Moderate|Severe, None|Trace" in text
    assert "1.2.3" not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("patient,EF\nMRN1,55\n", "neither a column study"),
        ("study,LVEF\n1.2.3,55\n", "did you mean EF"),
        ("study,EF,ef\n1.2.3,55,55\n", "two columns of EF"),
        ("study,EF\n", "has no row"),
        ("study,EF\n1.2.3,55,60\n", "row 2 has 3 fields"),
        ("", "is empty"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(EvaluationError, match=reason):
        read_labels(table(tmp_path, text), [EF])


def test_a_table_in_another_encoding_or_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="not UTF-8"):
        read_labels(table(tmp_path, "study,EF,Ärztin\n1.2.3,55,x\n", "latin-1"), [EF])
    with pytest.raises(EvaluationError, match="cannot be read: No such file"):
        read_labels(tmp_path / "gone.csv", [EF])


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    path = table(tmp_path, "study,EF\n1.2.3,55\n")
    with pytest.raises(EvaluationError, match="no column split"):
        read_labels(path, [EF], splits=["test"])
    path = table(tmp_path, "study,EF,split\n1.2.3,55,train\n")
    with pytest.raises(EvaluationError, match="no row of split test"):
        read_labels(path, [EF], splits=["test"])
