"""Public data sets, laid out as they are published."""

import csv
from pathlib import Path

import pytest

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.metric_names import METRICS
from panecho_evaluation.public_sets import PUBLIC_SETS
from panecho_model.tasks import TASKS

HEAD = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"


def make_echonet_dynamic(folder: Path, *, suffix: str = "") -> None:
    """A train and two test videos."""
    (folder / "Videos").mkdir(parents=True)
    rows = [f"0X1A{suffix},55.1,40.2,90.1,112,112,50,120,TRAIN", f"0X1B{suffix},60,30,80,112,112,50,120,TEST"]
    rows.append(f"0X1C{suffix},35.5,90,140,112,112,50,120,Test")
    (folder / "FileList.csv").write_text(HEAD + "\n".join(rows) + "\n")
    for name in ("0X1A", "0X1B", "0X1C"):
        (folder / f"Videos/{name}.avi").write_bytes(b"")


@pytest.mark.parametrize("suffix", ["", ".avi"])
@pytest.mark.parametrize("nested", ["", "EchoNet-Dynamic"])
def test_echonet_dynamic_becomes_a_table(tmp_path: Path, suffix: str, nested: str) -> None:
    make_echonet_dynamic(tmp_path / nested, suffix=suffix)
    rows = list(csv.DictReader(PUBLIC_SETS["echonet-dynamic"].table(tmp_path).splitlines()))
    assert [row["split"] for row in rows] == ["TRAIN", "TEST", "TEST"]
    assert rows[1] == {
        "file": str((tmp_path / nested / "Videos/0X1B.avi").absolute()),
        "study": "0X1B",
        "patient": "0X1B",
        "split": "TEST",
        "EF": "60",
        "LVESV": "30",
        "LVEDV": "80",
    }


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    table = PUBLIC_SETS["echonet-dynamic"].table
    with pytest.raises(EvaluationError, match=r"holds no FileList\.csv"):
        table(tmp_path)
    make_echonet_dynamic(tmp_path)
    (tmp_path / "Videos/0X1A.avi").unlink()  # of the train split: nobody needs it
    assert "0X1B" in table(tmp_path)
    (tmp_path / "Videos/0X1C.avi").unlink()
    with pytest.raises(EvaluationError, match=r"lacks 1 videos of the test split, such as 0X1C\.avi"):
        table(tmp_path)
    (tmp_path / "FileList.csv").write_text("FileName,EF\n0X1A,55\n")
    with pytest.raises(EvaluationError, match="is not that of EchoNet-Dynamic"):
        table(tmp_path)


def test_published_numbers_are_of_tasks_and_metrics_that_exist() -> None:
    tasks = {task.key for task in TASKS}
    for public in PUBLIC_SETS.values():
        for of in public.published:
            assert of.task in tasks
            assert of.metric in METRICS
