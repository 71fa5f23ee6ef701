"""A server's description and tensors in their real shapes, without a server."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._description import Description, parse_description
from panecho_client._responses import build_study
from panecho_client._results import StudyResult
from panecho_server import ServerSettings
from support.output_runs import PATIENT, ROOT, MakeStudy

TASKS_JSON = Path(__file__).parents[2] / "model_repository/postprocessing/1/tasks.json"
STAND_IN = {"name": "stand-in 0", "sha256": None, "stand_in": True, "licence": "Apache-2.0", "notice": "Random."}
SKIPPED = "NOT_A_VIDEO: neither DICOM nor a video; export it again"


@pytest.fixture
def parameters() -> dict[str, str]:
    """The parameters of the ensemble's configuration."""
    return {"tasks": TASKS_JSON.read_text(), "weights": json.dumps(STAND_IN)}


@pytest.fixture
def description(parameters: dict[str, str]) -> Description:
    return parse_description(parameters)


@pytest.fixture
def outputs(description: Description) -> dict[str, NDArray[np.generic]]:
    """Two videos, the second of which was skipped."""
    random = np.random.default_rng(0)
    tensors: dict[str, NDArray[np.generic]] = {}
    for task in description.tasks:
        row = random.uniform(0.05, 0.95, task.size).astype(np.float32)
        if task.kind == "multiclass":
            row /= row.sum()
        tensors[task.key] = row
        tensors[f"video/{task.key}"] = np.stack([row, np.full_like(row, np.nan)])
    embedding = random.normal(size=(2, 768)).astype(np.float32)
    embedding[1] = np.nan
    tensors["embedding"] = embedding
    tensors["video_status"] = np.array([b"ok", SKIPPED.encode()], dtype=np.object_)
    return tensors


@pytest.fixture
def study(description: Description, outputs: dict[str, NDArray[np.generic]]) -> StudyResult:
    return build_study(
        outputs,
        description.tasks,
        [Path("study/a.dcm"), Path("study/[b] notes.txt")],
        weights=description.weights,
        parameters={"num_clips": 4, "on_error": "skip"},
    )


@pytest.fixture
def unused_url() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture
def restarting(cold_repository: Path, tmp_path: Path) -> ServerSettings:
    """A server that can be started again at the same ports."""
    grpc, http, metrics = free_ports(3)
    return ServerSettings(
        model_repository=cold_repository,
        grpc_port=grpc,
        http_port=http,
        metrics_port=metrics,
        log_file=tmp_path / "log",
        exit_timeout=1,
        shared_memory=True,
    )


@pytest.fixture
def make_study(study: StudyResult, cine: Path, tmp_path: Path) -> MakeStudy:
    """A study whose files are there: a cine of a known patient, and notes."""

    def make(number: int) -> StudyResult:
        folder = tmp_path / PATIENT / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        header = dcmread(cine, stop_before_pixels=True)
        header.StudyInstanceUID, header.SeriesInstanceUID = f"{ROOT}.{number}", f"{ROOT}.{number}.1"
        header.SOPInstanceUID, header.PatientID, header.PatientName = f"{ROOT}.{number}.1.1", "MRN-0815", PATIENT
        header.AccessionNumber, header.PatientBirthDate = "ACC-4711", "19010203"
        header.save_as(folder / "IM0001")
        (folder / "notes.txt").write_text(f"notes {number}")
        paths = (folder / "IM0001", folder / "notes.txt")
        return replace(
            study, videos=tuple(replace(video, path=path) for video, path in zip(study.videos, paths, strict=True))
        )

    return make


@pytest.fixture
def output(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "results")
