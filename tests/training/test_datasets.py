"""The public layouts with the quirks that users have met, rebuilt small."""

import csv
import gzip
import hashlib
import io
from pathlib import Path

import pytest

from panecho_model.tasks import TASKS
from panecho_training.datasets import echonet_dynamic, echonet_lvh, echonet_pediatric, mimic_iv_echo
from panecho_training.datasets.mimic_iv_echo import CODES
from panecho_training.errors import TableError
from panecho_training.table import read_table
from support.commands import invoke

DYNAMIC = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"


def made(folder: Path, files: dict[str, str], videos: tuple[str, ...] = ()) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    for name in videos:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("place", ["", "EchoNet-Dynamic/"], ids=["flat", "nested"])
def test_echonet_dynamic(tmp_path: Path, place: str) -> None:
    text = f"\ufeff{DYNAMIC}\r\n0X1A,55.5,40,90,112,112,50,200,TRAIN\r\n0X1B.avi,60,,85,112,112,50,9999,val\r\n"
    tracings = "FileName,X1,Y1,X2,Y2,Frame\n0X1A.avi,1,2,3,4,5\n"
    files = {f"{place}FileList.csv": text, f"{place}VolumeTracings.csv": tracings}
    folder = made(tmp_path, files, (f"{place}Videos/0X1A.avi", f"{place}Videos/0X1B.avi"))
    rows = rows_of(echonet_dynamic(folder).to_csv())
    assert [(row["study"], row["patient"], row["split"]) for row in rows] == [
        ("0X1A", "0X1A", "train"),
        ("0X1B", "0X1B", "val"),
    ]
    assert [(row["EF"], row["LVESV"], row["LVEDV"]) for row in rows] == [("55.5", "40", "90"), ("60", "", "85")]
    assert Path(rows[0]["video"]).is_file()


def test_missing_videos_are_named_or_left_out(tmp_path: Path) -> None:
    text = f"{DYNAMIC}\n0X1A,55.5,40,90,112,112,50,200,TRAIN\n0X1B,60,20,85,112,112,50,100,TEST\n"
    folder = made(tmp_path, {"FileList.csv": text}, ("Videos/0X1A.avi",))
    with pytest.raises(TableError, match=r"1 listed videos are not in the folder.*(\n.*)*0X1B.avi"):
        echonet_dynamic(folder).to_csv()
    result = invoke("dataset", "echonet-dynamic", folder, "--leave-out-missing", "--output", tmp_path / "table.csv")
    assert result.exit_code == 0, result.stderr
    assert "left out 1 videos" in result.stderr
    table, faults = read_table(tmp_path / "table.csv", TASKS)
    assert (len(table), faults) == (1, [])


def test_a_folder_without_the_set_is_named(tmp_path: Path) -> None:
    result = invoke("dataset", "echonet-dynamic", tmp_path)
    assert result.exit_code == 1
    assert "holds no FileList.csv" in result.stderr


def fold(patient: str) -> int:
    return int(hashlib.sha1(patient.encode()).hexdigest(), 16) % 10  # noqa: S324 - as the set was divided


def test_echonet_pediatric(tmp_path: Path) -> None:
    place = "pediatric_echo_avi/pediatric_echo_avi"
    header = "FileName,EF,Sex,Age,Weight,Height,Split"
    patients = [f"CR32a7{n:02}" for n in range(40)]
    both = {"A4C": patients, "PSAX": patients[:7]}
    files = {
        f"{place}/{view}/FileList.csv": "\n".join(
            [header, *(f"{name}-acc{name}-0000{n}.avi,61.5,F,7,nan,120,{fold(name)}" for n, name in enumerate(names))]
        )
        for view, names in both.items()
    }
    tracings = "FileName,X,Y,Frame\nx.avi,1,2,No Systolic\n"
    files[f"{place}/A4C/VolumeTracings.csv"] = tracings
    listed = tuple(
        f"{place}/{view}/Videos/{name}-acc{name}-0000{n}.avi" for view, of in both.items() for n, name in enumerate(of)
    )
    table = echonet_pediatric(made(tmp_path, files, listed))
    assert table.notes == []
    rows = rows_of(table.to_csv())
    assert len(rows) == 47
    assert {row["view"] for row in rows} == {"A4C", "PSAX"}
    assert rows[0]["weight"] == ""
    assert rows[0]["study"] == f"{patients[0]}-acc{patients[0]}"
    splits = {row["patient"]: row["split"] for row in rows}
    assert all(splits[row["patient"]] == row["split"] == str(fold(row["patient"])) for row in rows)
    (tmp_path / "table.csv").write_text(table.to_csv())
    videos, faults = read_table(tmp_path / "table.csv", TASKS)
    assert (videos.folds > 1, faults) == (True, [])


def test_echonet_lvh(tmp_path: Path) -> None:
    text = (
        ",HashedFileName,Calc,CalcValue,Frame,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split\n"
        "0,0xaa,LVIDd,4.5,10,1,2,3,4,50,30,800,600,train\n"
        "1,0xaa,IVSd,1.1,10,1,2,3,4,50,30,800,600,train\n"
        "2,0xaa,IVSd,1.3,12,1,2,3,4,50,30,800,600,train\n"
        "3,0xbb,LVPWd,nan,10,1,2,3,4,50,30,800,600,TEST\n"
        "4,0xbb,IVSs,1.2,10,1,2,3,4,50,30,800,600,TEST\n"
    )
    table = echonet_lvh(made(tmp_path, {"MeasurementsList.csv": text}, ("Batch1/0xaa.avi", "Batch4/0xbb.avi")))
    first, second = rows_of(table.to_csv())
    assert (first["LVIDd"], first["IVSd"], first["LVIDs"], first["split"]) == ("4.5", "1.1", "", "train")
    assert (second["LVPWd"], second["split"]) == ("", "test")
    assert sorted(table.notes) == [
        "left out 1 rows of IVSd again for the same video",
        "left out 1 rows of IVSs, which is no task",
    ]


def test_mimic_iv_echo(tmp_path: Path) -> None:
    files = {
        "echo-record-list.csv": "subject_id,study_id,acquisition_datetime,dicom_filepath\n"
        "10,901,2018,files/p10/a.dcm\n10,901,2018,files/p10/b.dcm\n11,902,2018,files/p11/c.dcm\n",
        "echo-study-list.csv": "subject_id,study_id,measurement_id\n10,901,m1\n11,902,\n",
        "structured-measurement.csv.gz": "subject_id,measurement_id,measurement_datetime,test_type,measurement,"
        "measurement_description,result,unit\n"
        "10,m1,2018,tte,biplane_lvef,x,50,%\n10,m1,2018,TTE,lvef,x,55,%\n10,m1,2018,tte,gls,x,-18.5,%\n"
        "10,m1,2018,tte,tapse,x,21,mm\n10,m1,2018,tte,av_pk_vel,x,1.5,m/s\n10,m1,2018,tte,la_size,x,big,\n"
        "10,m1,2018,tee,lvef,x,20,%\n10,m1,2018,tte,lvot_diam,x,about 2,cm\n",
    }
    folder = made(tmp_path, files, ("files/p10/a.dcm", "files/p10/b.dcm", "files/p11/c.dcm"))
    table = mimic_iv_echo(folder)
    rows = rows_of(table.to_csv())
    assert len(rows) == 2
    assert {row["study"] for row in rows} == {"901"}
    labels = {name: rows[0][name] for name in ("EF", "GLS", "TAPSE", "AVPkVel(m|s)", "LVOTDiam")}
    assert labels == {"EF": "55", "GLS": "18.5", "TAPSE": "2.1", "AVPkVel(m|s)": "1.5", "LVOTDiam": ""}
    assert any("la_size (1)" in note for note in table.notes)
    assert any("left out 1 videos without a measurement" in note for note in table.notes)
    more = mimic_iv_echo(folder, {**CODES, "la_size": "LASize"})
    assert rows_of(more.to_csv())[0]["LASize"] == "big"
