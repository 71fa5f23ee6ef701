#!/usr/bin/env python3
"""Writes the lock files of the images: ``python deploy/docker/lock.py`` (``make lock-images``); needs uv.

Each lists every package of an image with its version and the hashes of its files, for Python 3.12 on Linux x86-64.
Versions come from ``constraints.txt``: what the tests ran with. That holds for numpy 1 too, as in NVIDIA's own build
scripts: models of Triton's Python backend have got empty arrays with numpy 2
(https://github.com/triton-inference-server/server/issues/8301).
"""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


def main() -> None:
    """Write every lock file."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        requirements = image_requirements(tomllib.load(file))
    for image, wanted in requirements.items():
        sys.stderr.write(f"{image}.lock: {', '.join(wanted)}\n")
        lock(FOLDER / f"{image}.lock", wanted)


def image_requirements(pyproject: dict[str, Any]) -> dict[str, list[str]]:
    """Return what each image needs, as ``pyproject.toml`` says; `build` is what makes this repository a wheel."""
    client: list[str] = pyproject["project"]["dependencies"]
    extras: dict[str, list[str]] = pyproject["project"]["optional-dependencies"]
    numpy = [requirement for requirement in client if requirement.startswith("numpy")]
    return {
        "build": pyproject["build-system"]["requires"],
        "server": numpy + extras["preprocessing"],
        "export": client + extras["export"] + extras["preprocessing"],
        "client": client + extras["reports"] + extras["dicomweb"] + extras["load-test"],
    }


def lock(file: Path, requirements: list[str]) -> None:
    """Resolve ``requirements`` into ``file``."""
    command = [
        *(
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "-",
            "--output-file",
            str(file),
            "--constraints",
            str(ROOT / "constraints.txt"),
        ),
        *("--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28", "--generate-hashes", "--upgrade"),
        *("--no-annotate", "--quiet", "--custom-compile-command", "make lock-images"),
    ]
    subprocess.run(command, input="\n".join(requirements), text=True, check=True)  # noqa: S603 - our own command


if __name__ == "__main__":
    main()
