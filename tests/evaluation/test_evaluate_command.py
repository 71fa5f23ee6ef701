"""``panecho evaluate`` as a user runs it: on a real server, from a table to a report, and on what predict wrote."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import generate_uid
from sklearn.metrics import mean_absolute_error, roc_auc_score

from panecho_server import TritonServer
from support.commands import invoke
from support.invented_results import chosen, write_study

PANECHO = Path(sys.executable).with_name("panecho")
QUICK = ("--num-clips", "1", "--clip-length", "1", "--tasks", "EF,AVStenosis,pericardial-effusion")
LABELS = {"EF": 55, "AVStenosis": "Severe", "pericardial-effusion": 1}
EFFUSION, EF, STENOSIS = chosen("pericardial-effusion", "EF", "AVStenosis")
GRADES = ("None", "Mild|Moderate", "Severe")


def uid(number: int) -> str:
    return str(generate_uid(entropy_srcs=[f"evaluated study {number}"]))


def write_dicom(path: Path, cine: Path, study: int, frame: int) -> None:
    """A cine of two frames of the sample."""
    dataset = dcmread(cine)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=30))
    dataset.PixelData = encapsulate(frames[frame : frame + 2])
    dataset.NumberOfFrames = 2
    dataset.StudyInstanceUID = uid(study)
    dataset.PatientID = f"MRN{study // 2:03}"
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[f"evaluated study {study} frame {frame}"])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)


def write_avi(path: Path) -> None:
    """A video of moving stripes."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (112, 112))
    for number in range(4):
        row = np.roll(np.arange(112) % 32 * 8, 4 * number).astype(np.uint8)
        writer.write(np.repeat(np.tile(row, (112, 1))[..., None], 3, axis=2))
    writer.release()


def write_table(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def table(cine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven studies of four patients: six of DICOM files, named by their UID, and an AVI; labels are invented."""
    folder = tmp_path_factory.mktemp("labelled")
    rows: list[dict[str, object]] = []
    for study in range(6):
        for instance in range(1 + study % 2):
            file = f"{study}/{instance}.dcm"
            write_dicom(folder / file, cine, study, 4 * study + 2 * instance)
            rows.append(
                {
                    "study": uid(study),
                    "file": file,
                    "patient": f"MRN{study // 2:03}",
                    "sex": "FM"[study // 2 % 2],
                    "split": "test",
                    "EF": 50 + 2 * study,
                    "AVStenosis": GRADES[study % 3],
                    "pericardial-effusion": study % 2,
                }
            )
    (folder / "avi").mkdir()
    write_avi(folder / "avi/stripes.avi")
    rows.append(rows[0] | {"study": "stripes", "file": "avi/stripes.avi", "patient": "X", "EF": 61.5, "AVStenosis": ""})
    rows.append(rows[0] | {"study": "not there", "file": "gone.avi", "split": "train"})
    return write_table(folder / "table.csv", rows)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def number(output: Path, task: str, metric: str, class_name: str = "", **others: str) -> dict[str, str]:
    key = {"task": task, "metric": metric, "class": class_name, "cohort": "all", "reference": ""} | others
    (found,) = [row for row in read(output / "numbers.csv") if all(row[name] == value for name, value in key.items())]
    return found


def test_from_a_table_to_a_report(server: TritonServer, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "evaluation"
    options = ("--subgroup", "sex", "--per-video", "--resamples", "50")
    command = ("evaluate", "--table", table, "--split", "test", "--url", server.grpc_url, "--output", output)
    finished = invoke(*command, *QUICK, *options)
    assert finished.exit_code == 0, finished.stderr
    assert "7 studies of 4 patients have labels and predictions." in finished.stderr
    assert "stand-in weights: these numbers mean nothing" in finished.stderr
    assert f"{output}/report.html" in finished.stdout
    assert "Traceback" not in finished.stderr

    predicted = read(output / "predictions/studies.csv")
    assert len(predicted) == 7
    assert all(row["study"].startswith("study-") for row in predicted)
    by_hand = check_by_hand(table, output, predicted)
    assert by_hand == 7
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "STAND-IN WEIGHTS" in page
    assert "By sex" in page
    facts = json.loads((output / "numbers.json").read_text())
    assert facts["runs"]["predictions"]["settings"]["num_clips"] == 1
    assert not any("MRN" in file.read_text(encoding="utf-8") for file in output.glob("*.*"))

    again = invoke(*command, *QUICK, *options)
    assert again.exit_code == 0, again.stderr
    assert "0 of 7 studies predicted, 0 failed, 7 were there before." in again.stderr
    other = invoke(*command, *QUICK, *options, "--frame-stride", "2")
    assert other.exit_code == 1
    assert "frame_stride" in other.stderr


def check_by_hand(table: Path, output: Path, predicted: Sequence[dict[str, str]]) -> int:
    """Compute EF's error, AUROC of effusion and of severe stenosis from the two tables alone."""
    from panecho_client.outputs import pseudonym  # noqa: PLC0415 - what names the rows

    rows = {pseudonym(row["study"], kind="study"): row for row in read(table) if row["split"] == "test"}
    pairs = [(rows[of["study"]], of) for of in predicted]
    ef = mean_absolute_error([float(row["EF"]) for row, _ in pairs], [float(of["ef"]) for _, of in pairs])
    assert float(number(output, "EF", "mae")["value"]) == pytest.approx(ef, rel=1e-9)
    labels = [int(row["pericardial-effusion"]) for row, _ in pairs]
    effusion = roc_auc_score(labels, [float(of["pericardial_effusion_mild_mod_severe"]) for _, of in pairs])
    found = number(output, "pericardial-effusion", "auroc", "mild_mod_severe")
    assert float(found["value"]) == pytest.approx(effusion)
    graded = [(row, of) for row, of in pairs if row["AVStenosis"]]
    severe = roc_auc_score(
        [row["AVStenosis"] == "Severe" for row, _ in graded], [float(of["avstenosis_severe"]) for _, of in graded]
    )
    found = number(output, "AVStenosis", "auroc", "Severe")
    assert float(found["value"]) == pytest.approx(severe)
    assert (found["studies"], found["patients"]) == ("6", "3")
    women = [(row, of) for row, of in pairs if row["sex"] == "F"]
    error = mean_absolute_error([float(row["EF"]) for row, _ in women], [float(of["ef"]) for _, of in women])
    assert float(number(output, "EF", "mae", cohort="sex=F")["value"]) == pytest.approx(error)
    videos = [row for row in read(output / "predictions/predictions.csv") if row["video"] and row["task"] == "EF"]
    error = mean_absolute_error(
        [float(rows[of["study"]]["EF"]) for of in videos], [float(of["value"]) for of in videos]
    )
    assert float(number(output, "EF", "mae", cohort="video")["value"]) == pytest.approx(error)
    return len(pairs)


@pytest.fixture(scope="module")
def results(server: TritonServer, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What predict wrote of the folder, with a key: no name in it can be computed without."""
    folder = tmp_path_factory.mktemp("predicted")
    (folder / "key").write_bytes(b"a key of the test")
    finished = invoke(
        "predict", table.parent, "--url", server.grpc_url, "--output", folder / "results", *QUICK,
        "--pseudonym-key", folder / "key",
    )  # fmt: skip
    assert finished.exit_code in (0, 3), finished.stderr
    return folder / "results"


def test_studies_are_found_by_uid_with_the_key(results: Path, table: Path, tmp_path: Path) -> None:
    rows = [{"study": uid(study), "EF": 50 + 2 * study} for study in range(6)]
    labels = write_table(tmp_path / "labels.csv", rows)
    command = ("evaluate", results, "--labels", labels, "--resamples", "20", "--output", tmp_path / "out")
    finished = invoke(*command, "--pseudonym-key", results.parent / "key")
    assert finished.exit_code == 0, finished.stderr
    assert "6 studies of 3 patients" in finished.stderr
    without = invoke(*command)
    assert without.exit_code == 1
    assert "give the --pseudonym-key of that run" in without.stderr
    (tmp_path / "other").write_bytes(b"another key of the test")
    wrong = invoke(*command, "--pseudonym-key", tmp_path / "other")
    assert wrong.exit_code == 1
    assert "was made with another --pseudonym-key" in wrong.stderr
    assert table.parent.exists()


def test_studies_are_found_by_file_and_by_pseudonym(results: Path, table: Path, tmp_path: Path) -> None:
    rows = [{"file": f"{study}/0.dcm", "EF": 50} for study in range(6)] + [{"file": "avi/stripes.avi", "EF": 60}]
    by_file = write_table(table.parent / "by_file.csv", rows)
    finished = invoke(
        "evaluate", results, "--labels", by_file, "--resamples", "0", "--output", tmp_path / "file",
        "--pseudonym-key", results.parent / "key",
    )  # fmt: skip
    assert finished.exit_code == 0, finished.stderr
    assert "7 studies of" in finished.stderr
    names = [row["study"] for row in read(results / "studies.csv")]
    by_name = write_table(tmp_path / "labels.csv", [{"study": name, "EF": 55} for name in names[:3]])
    finished = invoke("evaluate", results, "--labels", by_name, "--resamples", "0", "--output", tmp_path / "name")
    assert finished.exit_code == 0, finished.stderr
    assert "3 studies of" in finished.stderr
    assert {row["study"] for row in read(tmp_path / "name/unmatched.csv")} == set(names[3:])


def write_results(folder: Path, errors: Sequence[float]) -> Path:
    for study, error in enumerate(errors):
        write_study(
            folder,
            f"study-{study}",
            None,
            {"v": {EF: [50.0 + study + error], EFFUSION: [0.3], STENOSIS: [0.1, 0.7, 0.2]}},
        )
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [{"study": f"study-{study}", "EF": 50 + study, "AVStenosis": "None"} for study in range(8)]
    return write_table(tmp_path / "labels.csv", rows)


def test_runs_are_compared_with_the_first(labels: Path, tmp_path: Path) -> None:
    one = write_results(tmp_path / "fp32", [1, -2, 1, 2, -1, 2, 1, -2])
    other = write_results(tmp_path / "bf16", [2, -3, 2, 3, -2, 3, 2, -3])
    finished = invoke("evaluate", one, other, "--labels", labels, "--resamples", "100", "--output", tmp_path / "out")
    assert finished.exit_code == 0, finished.stderr
    difference = number(tmp_path / "out", "EF", "mae", run="bf16", reference="fp32")
    assert float(difference["value"]) == pytest.approx(1)
    assert float(difference["low"]) == pytest.approx(1)  # by 1 in each study, so in every resample
    assert "bf16 - fp32" in finished.stdout


def test_a_minimum_that_is_not_reached_has_an_exit_status_of_its_own(labels: Path, tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", [5.0] * 8)
    command = ("evaluate", results, "--labels", labels, "--resamples", "0", "--output", tmp_path / "out")
    assert invoke(*command, "--min", "EF:mae<=5").exit_code == 0
    finished = invoke(*command, "--min", "EF:mae<=4", "--min", "EF:bias>=0")
    assert finished.exit_code == 4
    assert "results: EF:mae is 5, not <= 4" in finished.stderr
    assert (tmp_path / "out/report.html").is_file()


def test_a_study_that_cannot_be_predicted_is_left_out_and_said(
    server: TritonServer, table: Path, cine: Path, tmp_path: Path
) -> None:
    write_dicom(tmp_path / "good.dcm", cine, 0, 0)
    (tmp_path / "bad.avi").write_bytes(b"RIFF\0\0\0\0AVI nothing")
    rows = [{"file": "good.dcm", "EF": 55}, {"file": "bad.avi", "EF": 60}]
    bad = write_table(tmp_path / "table.csv", rows)
    finished = invoke(
        "evaluate", "--table", bad, "--url", server.grpc_url, "--output", tmp_path / "out", *QUICK, "--resamples", "0"
    )
    assert finished.exit_code == 3, finished.stderr
    (left,) = read(tmp_path / "out/unmatched.csv")
    assert (left["row"], left["reason"]) == ("3", "prediction failed: INVALID_ARGUMENT")
    assert table.is_file()


def test_files_that_are_missing_are_named_before_anything_is_sent(table: Path, tmp_path: Path) -> None:
    finished = invoke("evaluate", "--table", table, "--url", "localhost:1", "--output", tmp_path / "out")
    assert finished.exit_code == 1
    assert "row 12: the file does not exist" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Give either RESULTS with --labels FILE, or --table FILE"),
        (("results",), "RESULTS and --labels FILE go together"),
        (("--labels", "x.csv"), "Give either RESULTS"),
        (("results", "--labels", "x.csv", "--table", "y.csv"), "Give either RESULTS"),
        (("echonet-dynamic",), "name the folder that it was unpacked to"),
        (("results", "--labels", "x.csv", "--resamples", "-1"), "resamples"),
        (("results", "--labels", "x.csv", "--choose-threshold", "best"), "'best' is not youden"),
        (("results", "--labels", "x.csv", "--subgroup", "age:x"), "'age:x' is not a COLUMN"),
        (("results", "--labels", "x.csv", "--min", "EF:error<=4"), "there is no metric 'error'"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], reason: str) -> None:
    finished = invoke("evaluate", *arguments)
    assert finished.exit_code == 2, finished.stderr
    assert reason in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("gone", "--labels", "{labels}"), "gone does not exist"),
        (("{results}", "--labels", "gone.csv"), "gone.csv cannot be read"),
        (("{results}", "{results}", "--labels", "{labels}"), "is there twice"),
        (("{results}", "--labels", "{labels}", "--tasks", "GLS"), "holds no predictions of GLS"),
        (("{results}", "--labels", "{labels}", "--subgroup", "sex"), "no column sex"),
        (("{results}", "--labels", "{labels}", "--threshold", "EF=0.5"), "no class 'EF'"),
        (("{results}", "--labels", "{labels}", "--split", "test"), "no column split"),
        (("{results}", "--labels", "{labels}", "--output", "{labels}/out"), "cannot be written"),
        (("echonet-dynamic", "gone"), "holds no FileList.csv"),
    ],
)
def test_errors_are_one_line(labels: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    results = write_results(tmp_path / "results", [1.0] * 8)
    given = [argument.format(labels=labels, results=results) for argument in arguments]
    output = () if "--output" in given else ("--output", tmp_path / "out")
    finished = invoke("evaluate", *given, "--resamples", "0", *output)
    assert finished.exit_code == 1, finished.stderr
    assert reason in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_public_set_by_name(server: TritonServer, tmp_path: Path) -> None:
    videos = tmp_path / "EchoNet-Dynamic/Videos"
    videos.mkdir(parents=True)
    write_avi(videos / "0X1B.avi")
    head = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"
    rows = "0X1A,55,40,90,112,112,50,4,TRAIN\n0X1B,60,30,80,112,112,50,4,TEST\n"
    (videos.parent / "FileList.csv").write_text(head + rows)
    output = tmp_path / "out"
    finished = invoke(
        "evaluate", "echonet-dynamic", tmp_path, "--url", server.grpc_url, "--output", output, "--num-clips", "1",
        "--clip-length", "1", "--tasks", "EF", "--resamples", "0",
    )  # fmt: skip
    assert finished.exit_code == 0, finished.stderr
    predicted = float(read(output / "predictions/studies.csv")[0]["ef"])
    assert float(number(output, "EF", "mae")["value"]) == pytest.approx(abs(predicted - 60))
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "Published numbers" in page
    assert "4.10 %" in page


def test_an_interruption_keeps_what_was_predicted(server: TritonServer, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    command: list[str | Path] = [PANECHO, "evaluate", "--table", table, "--split", "test", "--output", output]
    options = ["--url", server.grpc_url, "--num-clips", "4", "--concurrency", "1", "--resamples", "0"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not list(output.glob("predictions/studies/study-*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Run the same command again to continue." in said
    assert "Traceback" not in said
    assert not (output / "report.html").exists()
