from pathlib import Path

import numpy as np
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from panecho_model.tasks import TASKS, find_tasks
from panecho_preprocessing import ClipOptions
from panecho_training.errors import TableError
from panecho_training.table import Table, read_table
from panecho_training.table_check import check_files, check_rows, check_splits
from support.commands import invoke

ROWS = """video,study,patient,split,EF,AVStenosis,AVStructure,site
a.avi,s1,p1,train,55,none,1,x
b.avi,s1,p1,train,55,,0,x
c.avi,s2,p2,val,,Severe,Bicuspid,y
"""


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(path: Path) -> Table:
    table, faults = read_table(path, TASKS)
    assert faults == []
    return table


def test_labels_are_numbers_and_classes_by_name(tmp_path: Path) -> None:
    table = read(written(tmp_path, ROWS))
    assert [task.key for task in table.tasks] == ["EF", "AVStructure", "AVStenosis"]
    np.testing.assert_array_equal(table.labels["EF"], [55, 55, np.nan])
    np.testing.assert_array_equal(table.labels["AVStenosis"], [1, np.nan, 2])
    np.testing.assert_array_equal(table.labels["AVStructure"], [1, 0, 1])  # 1 is the positive class, Bicuspid
    assert (table.studies, table.splits, table.others) == (("s1", "s1", "s2"), ("train", "train", "val"), ("site",))
    assert table.videos[0] == tmp_path / "a.avi"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace(",", ";").replace("55", "55,0"),
        lambda text: text.replace("train", "TRAIN").replace("val", "Validation"),
        lambda text: text.replace("video", "FileName", 0).replace("video,", "file,"),
    ],
    ids=["BOM and CRLF", "semicolons", "words of splits", "file"],
)
def test_the_same_table_in_other_clothes(tmp_path: Path, change: object) -> None:
    plain, other = read(written(tmp_path, ROWS)), read(written(tmp_path, change(ROWS), "other.csv"))  # type: ignore[operator]
    assert (plain.videos, plain.studies, plain.splits) == (other.videos, other.studies, other.splits)
    for key, values in plain.labels.items():
        np.testing.assert_array_equal(values, other.labels[key])


def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    plain = read(written(tmp_path, ROWS))
    parquet.write_table(arrow_csv.read_csv(tmp_path / "table.csv"), tmp_path / "table.parquet")
    other = read(tmp_path / "table.parquet")
    assert (plain.videos, plain.splits) == (other.videos, other.splits)
    for key, values in plain.labels.items():
        np.testing.assert_array_equal(values, other.labels[key])


def test_study_and_patient_may_be_left_out(tmp_path: Path) -> None:
    table = read(written(tmp_path, "video,split,EF\na.avi,train,50\n"))
    assert (table.studies, table.patients) == (("a.avi",), ("a.avi",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,EF\na.avi,5\n", "has no column split"),
        ("video,split\na.avi,train\n", "no column of a task"),
        ("video,split,EF\n", "no row below its header"),
    ],
)
def test_what_cannot_be_a_table(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_table(written(tmp_path, text), TASKS)


@pytest.mark.parametrize("fold", range(10))
def test_test_val_and_train_of_each_fold(tmp_path: Path, fold: int) -> None:
    text = "video,split,EF\n" + "".join(f"{n}.avi,{n % 10},{n}\n" for n in range(40))
    table = read(written(tmp_path, text))
    assert table.folds == 10
    parts = {name: set(table.split(name, fold).splits) for name in ("train", "val", "test")}
    assert parts["test"] == {str(fold)}
    assert parts["val"] == {str((fold + 1) % 10)}
    assert parts["train"] == {str(n) for n in range(10)} - parts["test"] - parts["val"]


def test_every_fault_at_once(videos: Path, tmp_path: Path) -> None:
    good = videos.parent / "Videos/00000.avi"
    (tmp_path / "good.avi").write_bytes(good.read_bytes())
    (tmp_path / "cut.avi").write_bytes(good.read_bytes()[:300])
    (tmp_path / "other.avi").write_bytes((videos.parent / "Videos/00001.avi").read_bytes())
    text = (
        "video,study,patient,split,EF,AVStenosis,LVIDd\n"
        "good.avi,s1,p1,train,55,Normalish,4.5\n"
        "cut.avi,s2,p2,train,5500,None,4.4\n"
        "gone.avi,s3,p3,train,fifty,Severe,45\n"
        "other.avi,s1,p1,val,54,None,\n"
        "good.avi,s5,p5,nowhere,50,None,\n"
        ",s6,p6,val,50,None,\n"
    )
    result = invoke("dataset", "check", written(tmp_path, text))
    assert result.exit_code == 1
    for fault in (
        "row 2, AVStenosis: 'Normalish' is not one of",
        "row 3, EF: 5500 % is outside 3 to 95",
        "row 4, EF: 'fifty' is not a number",
        "row 4, LVIDd: 45 cm is outside 0.5 to 13",
        "row 4: no such file",
        "row 5, EF: differs from row 2 of the same study",
        "one patient is in train (row 2) and val (row 5)",
        "row 6: split 'nowhere'",
        "row 6: the video of row 2 again",
        "row 7: no video",
        "LVIDd has no label in split val",
        "no row is in split test",
        "row 3: UNREADABLE_VIDEO",
    ):
        assert fault in result.stdout, fault
    assert "p1" not in result.output  # patients are not named
    assert "s1" not in result.output


def test_a_good_table_has_no_fault(videos: Path) -> None:
    result = invoke("dataset", "check", videos)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "15 videos, tasks EF, LVIDd: no faults." in result.stderr
    table, _ = read_table(videos, find_tasks(["EF"]))
    assert check_rows(table) == []
    assert check_splits(table) == ([], [])
    assert list(check_files(table, ClipOptions())) == []
