"""What the entry points of the images make of their settings."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from panecho_server.shared_memory import SharedMemory

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
KEY = "a-key-for-tests-0123456789"


@pytest.fixture
def says_what_it_is_given(tmp_path: Path) -> dict[str, str]:
    """An environment in which `tritonserver` and `panecho` print their arguments, one a line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("tritonserver", "panecho"):
        (folder / name).write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


def start(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DOCKER / "start.py", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_server_is_started_with_these_options(
    cold_repository: Path, tmp_path: Path, says_what_it_is_given: dict[str, str]
) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    environment = says_what_it_is_given | {
        "MODEL_REPOSITORY": str(cold_repository),
        "LOAD_MODELS": "image_encoder",
        "PROFILE": "cpu",
        "ADMIN_KEY_FILE": str(key),
        "HOME": str(tmp_path),
        "HTTP_MAX_INPUT_SIZE": "1073741824",
    }

    done = start(environment, "--log-verbose=1")

    assert done.stderr == ""
    models = "preprocessing backbone postprocessing panecho image_encoder"
    assert (tmp_path / "panecho-models").read_text() == models  # for the health check
    assert done.stdout.splitlines() == [
        "--disable-auto-complete-config",
        "--load-model=preprocessing",
        "--load-model=backbone",
        "--load-model=postprocessing",
        "--load-model=panecho",
        "--load-model=image_encoder",
        f"--backend-config=python,shm-region-prefix-name={SharedMemory(socket.gethostname()).prefix}python_",
        f"--model-repository={cold_repository}",
        "--model-control-mode=explicit",
        "--exit-timeout-secs=30",
        "--http-restricted-api=model-repository,shared-memory,trace,logging:admin-key=a-key-for-tests-0123456789",
        "--grpc-restricted-protocol=model-repository,shared-memory,trace,logging:admin-key=a-key-for-tests-0123456789",
        "--model-config-name=cpu",
        "--http-max-input-size=1073741824",
        "--log-verbose=1",
    ]


def test_without_a_key_file_nobody_has_the_key(cold_repository: Path, says_what_it_is_given: dict[str, str]) -> None:
    environment = says_what_it_is_given | {"MODEL_REPOSITORY": str(cold_repository)}

    for option in ("--http-restricted-api", "--grpc-restricted-protocol"):
        keys = [re.search(rf"{option}=\S+:closed to callers=(\S+)\n(\S+)", start(environment).stdout) for _ in range(2)]
        assert all(keys)  # and a line break is in each, which no header can hold
        assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"MODEL_REPOSITORY": "/nowhere"},
            "/nowhere is not a PanEcho model repository; make one: panecho export --help",
        ),
        ({"LOAD_MODELS": "other"}, "holds no model 'other'"),
        ({"PROFILE": "tpu"}, "has no profile 'tpu': it has cpu, gpu."),
        ({"ADMIN_KEY_FILE": "/nowhere/key"}, "ADMIN_KEY_FILE=/nowhere/key cannot be read by user"),
        ({"ADMIN_KEY_FILE": os.devnull}, "ADMIN_KEY_FILE=/dev/null must hold at least 16 letters, digits, - or _"),
        ({"HTTP_MAX_INPUT_SIZE": "1GB"}, "HTTP_MAX_INPUT_SIZE=1GB must be a whole number of at least 1."),
        (
            {"NVIDIA_TRITON_SERVER_VERSION": "25.07"},
            "Triton 25.07 ends when it is asked for the classification of a text output",
        ),
        ({"EXIT_TIMEOUT_SECS": "0"}, "EXIT_TIMEOUT_SECS=0 must be a whole number of at least 1."),
    ],
)
def test_a_wrong_setting_is_named(
    cold_repository: Path, says_what_it_is_given: dict[str, str], variables: dict[str, str], message: str
) -> None:
    done = start(says_what_it_is_given | {"MODEL_REPOSITORY": str(cold_repository)} | variables)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("panecho-triton: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"NVIDIA_TRITON_SERVER_VERSION": "25.08"},
        {"NVIDIA_TRITON_SERVER_VERSION": "26.11"},
        {"NVIDIA_TRITON_SERVER_VERSION": "24.10", "ALLOW_OLD_TRITON": "1"},
    ],
)
def test_a_triton_that_requests_cannot_end_is_started(
    cold_repository: Path, says_what_it_is_given: dict[str, str], variables: dict[str, str]
) -> None:
    done = start(says_what_it_is_given | {"MODEL_REPOSITORY": str(cold_repository)} | variables)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (
            b"weights",
            ["export", "--checkpoint", "CHECKPOINT", "--model-repository", "/m/repository", "--precision", "fp16"],
        ),
        (b"", ["export", "--stand-in", "0", "--model-repository", "/m/repository", "--precision", "fp16"]),
    ],
)
def test_an_empty_checkpoint_means_stand_in_weights(
    tmp_path: Path, says_what_it_is_given: dict[str, str], content: bytes, arguments: list[str]
) -> None:
    checkpoint = tmp_path / "panecho weights.pt"
    checkpoint.write_bytes(content)
    variables = {"CHECKPOINT": str(checkpoint), "MODEL_REPOSITORY": "/m/repository"}

    done = subprocess.run(
        [DOCKER / "export.sh", "--precision", "fp16"],
        env=says_what_it_is_given | variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [str(checkpoint) if part == "CHECKPOINT" else part for part in arguments]
    assert ("stand-in weights. Their numbers mean nothing clinically" in done.stderr) == (content == b"")


def test_without_a_checkpoint_exported_models_are_kept(tmp_path: Path, says_what_it_is_given: dict[str, str]) -> None:
    exported = tmp_path / "repository/backbone/1/model.pt"
    exported.parent.mkdir(parents=True)
    exported.write_bytes(b"exported before")

    done = subprocess.run(
        [DOCKER / "export.sh"],
        env=says_what_it_is_given | {"CHECKPOINT": "", "MODEL_REPOSITORY": str(tmp_path / "repository")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("", f"No checkpoint was given: keeping what {tmp_path}/repository holds.\n")


def test_a_checkpoint_that_is_not_there_is_named(says_what_it_is_given: dict[str, str]) -> None:
    variables = {"CHECKPOINT": "/nowhere/panecho.pt", "MODEL_REPOSITORY": "/m/repository"}

    done = subprocess.run(
        [DOCKER / "export.sh"], env=says_what_it_is_given | variables, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "the checkpoint /nowhere/panecho.pt cannot be read" in done.stderr
