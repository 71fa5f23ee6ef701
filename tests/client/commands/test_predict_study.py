"""The client and ``panecho predict`` against a real server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from panecho_client import (
    ClipOptions,
    Connection,
    DeadlineExceededError,
    PanEcho,
    RequestError,
    ServerUnavailableError,
    StudyResult,
    UnknownTaskError,
)
from panecho_server import TritonServer

QUICK = ClipOptions(num_clips=1, clip_length=8)
PANECHO = Path(sys.executable).with_name("panecho")


@pytest.fixture
def panecho(server: TritonServer) -> Iterator[PanEcho]:
    with PanEcho(server.grpc_url) as client:
        yield client


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file that is no video."""
    path = tmp_path / "notes.txt"
    path.write_text("not a video")
    return path


def quickly(client: PanEcho, *paths: Path, tasks: list[str] | None = None) -> StudyResult:
    return client.predict_study(paths, tasks=tasks, clip_options=QUICK)


def run_predict(server: TritonServer, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [PANECHO, "predict", "--url", server.grpc_url, "--num-clips", "1", "--clip-length", "8", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_server_describes_itself(panecho: PanEcho) -> None:
    assert len(panecho.tasks) == 40
    assert panecho.weights.stand_in
    assert panecho.tasks is panecho.tasks


def test_whole_study(panecho: PanEcho, cine: Path) -> None:
    study = quickly(panecho, cine)
    assert list(study.predictions) == [task.key for task in panecho.tasks]
    assert study.weights == panecho.weights
    (video,) = study.videos
    assert (video.path, video.status, video.ok) == (cine, "ok", True)
    assert video.embedding is not None
    assert (video.embedding.shape, video.embedding.dtype.name) == ((768,), "float32")
    for key, prediction in study.predictions.items():
        assert np.isfinite(prediction.value)
        assert prediction.value == pytest.approx(video[key].value, rel=1e-6)
        if prediction.task.kind != "regression":
            assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_chosen_tasks_only(panecho: PanEcho, cine: Path) -> None:
    study = panecho.predict_study(cine, tasks=["AVStenosis", "EF"], clip_options=QUICK, embedding=False)
    assert list(study.predictions) == list(study.videos[0].predictions) == ["AVStenosis", "EF"]
    assert study.videos[0].embedding is None


def test_file_that_is_no_video_is_skipped_and_said(panecho: PanEcho, cine: Path, notes: Path) -> None:
    study = quickly(panecho, notes, cine, tasks=["EF"])
    skipped, used = study.videos
    assert skipped.path == notes
    assert skipped.status.startswith("NOT_A_VIDEO: ")
    assert (dict(skipped.predictions), skipped.embedding) == ({}, None)
    assert study["EF"].value == used["EF"].value
    assert study.skipped == (skipped,)


def test_on_error_fail_names_the_file(panecho: PanEcho, cine: Path, notes: Path) -> None:
    with pytest.raises(RequestError, match="NOT_A_VIDEO") as caught:
        panecho.predict_study([cine, notes], on_error="fail", clip_options=QUICK)
    assert caught.value.paths == (notes,)
    assert f"video 1 is {notes}" in str(caught.value)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_no_usable_file_names_each(panecho: PanEcho, notes: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.dcm"
    empty.touch()
    for files in ([notes, empty], [empty]):
        with pytest.raises(RequestError, match="EMPTY_FILE") as caught:
            panecho.predict_study(files)
        assert caught.value.paths == tuple(files)


def test_unknown_task_is_refused_before_the_upload(panecho: PanEcho, cine: Path) -> None:
    with pytest.raises(UnknownTaskError, match="did you mean AVStenosis"):
        panecho.predict_study(cine, tasks=["AVStenos"])


def test_mask_and_frame_rate_reach_the_server(panecho: PanEcho, cine: Path) -> None:
    plain = quickly(panecho, cine, tasks=["EF"])["EF"].value
    whole = panecho.predict_study(
        cine, tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=8, framing="whole")
    )
    slow = panecho.predict_study(
        cine, tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=8, frame_rate=12.5)
    )
    assert len({plain, whole["EF"].value, slow["EF"].value}) == 3
    assert slow.parameters["frame_rate"] == "12.5"
    with pytest.raises(RequestError, match=r"frame_rate='?500(\.0)?'?: must be frames per second, from 1 to 200"):
        panecho.predict_study(cine, tasks=["EF"], clip_options=ClipOptions(frame_rate=500))


def test_what_only_the_server_can_refuse(panecho: PanEcho, cine: Path) -> None:
    with pytest.raises(RequestError, match="num_clips"):
        panecho.predict_study(cine, clip_options=ClipOptions(num_clips=1_000_000))


def test_deadline(server: TritonServer, cine: Path) -> None:
    with (
        PanEcho(Connection(url=server.grpc_url, timeout=0.05)) as panecho,
        pytest.raises(DeadlineExceededError, match=r"0\.05 s"),
    ):
        quickly(panecho, cine)


def test_proxy_is_not_on_the_way_to_this_machine(server: TritonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nothing listens there
    with PanEcho(server.grpc_url) as panecho:
        assert panecho.weights.stand_in


def test_http_port_is_not_the_grpc_port(server: TritonServer) -> None:
    with PanEcho(server.http_url) as panecho, pytest.raises(ServerUnavailableError, match="it speaks HTTP, not gRPC"):
        _ = panecho.tasks


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines into which the longest name of a task fits."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.usefixtures("wide")
def test_command_prints_the_report_and_writes_json(
    server: TritonServer, panecho: PanEcho, cine: Path, notes: Path, tmp_path: Path
) -> None:
    target = tmp_path / "report.json"
    finished = run_predict(server, cine, notes, "--json", target, "--per-video")
    assert finished.returncode == 0, finished.stderr
    assert "stand-in weights: these numbers mean nothing clinically" in finished.stdout
    # In the study's table and the video's; what is abnormal stands on top as well.
    shown = " ".join(finished.stdout.split())
    assert [task.key for task in panecho.tasks if shown.count(f" {task.key} ") + shown.count(f"({task.key})") < 2] == []
    assert "skipped: NOT_A_VIDEO" in finished.stdout
    assert max(map(len, finished.stdout.splitlines())) <= 100
    assert finished.stderr.splitlines() == [f"Predicting 2 files at {server.grpc_url}", "1 of 2 files were skipped."]
    written = json.loads(target.read_text())
    assert written["predictions"]["EF"]["value"] == quickly(panecho, cine, tasks=["EF"])["EF"].value
    assert [video["ok"] for video in written["videos"]] == [True, False]
    assert sorted(tmp_path.iterdir()) == [notes, target]


def test_command_prints_only_json(server: TritonServer, cine: Path) -> None:
    finished = run_predict(server, cine, "--tasks", "EF, AVStenosis", "--json", "-")
    assert list(json.loads(finished.stdout)["predictions"]) == ["EF", "AVStenosis"]


def test_command_reports_errors_in_one_line(server: TritonServer, notes: Path) -> None:
    finished = run_predict(server, notes)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "Traceback" not in finished.stderr
    assert finished.stderr.splitlines()[-1].startswith("panecho predict: ")
    assert str(notes) in finished.stderr


def test_json_that_cannot_be_written(server: TritonServer, cine: Path, tmp_path: Path) -> None:
    finished = run_predict(server, cine, "--tasks", "EF", "--json", tmp_path)
    assert finished.returncode == 1
    assert f"{tmp_path} cannot be written" in finished.stderr


def test_interrupt_is_quiet(server: TritonServer, cine: Path) -> None:
    command: list[str | Path] = [PANECHO, "predict", "--url", server.grpc_url, "--num-clips", "16", cine]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()  # "Predicting …"
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == ""


def test_command_writes_tables_and_reports(server: TritonServer, cine: Path, notes: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    names = {name: tmp_path / f"out.{name}" for name in ("csv", "wide-csv", "parquet", "html", "sr")}
    options = [argument for name, path in names.items() for argument in (f"--{name}", path)]
    for _ in range(2):
        finished = run_predict(server, cine, notes, "--tasks", "EF,AVStenosis", "--pseudonym-key", secret, *options)
        assert finished.returncode == 0, finished.stderr
    assert len(names["csv"].read_text().splitlines()) == 1 + 2 * (4 + 4 + 1)
    assert len(names["wide-csv"].read_text().splitlines()) == 1 + 2
    assert "STAND-IN WEIGHTS" in names["html"].read_text()
    assert "data:image/png" not in names["html"].read_text()  # text in a frame may name the patient
    assert dcmread(names["sr"]).Modality == "SR"
    uid = str(dcmread(cine, stop_before_pixels=True).StudyInstanceUID)
    assert all(uid.encode() not in path.read_bytes() for path in names.values())
    finished = run_predict(server, cine, "--tasks", "EF", "--include-identifiers", "--csv", tmp_path / "named.csv")
    assert uid in (tmp_path / "named.csv").read_text()


def test_output_that_cannot_be_written_is_named_first(server: TritonServer, cine: Path, tmp_path: Path) -> None:
    finished = run_predict(server, cine, "--html", tmp_path / "none" / "report.html")
    assert finished.returncode == 2
    assert "--html" in finished.stderr
    finished = run_predict(server, cine, "--pseudonym-key", tmp_path / "none")
    assert finished.returncode == 2
    assert "--pseudonym-key" in finished.stderr
    finished = run_predict(server, cine, "--tasks", "EF", "--csv", tmp_path)
    assert finished.returncode == 1
    assert f"{tmp_path} cannot be written" in finished.stderr
