"""Runs Locust on our locustfile, as a user does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCUST = (sys.executable, "-m", "locust", "-f", str(ROOT / "load_tests/locustfile.py"))
QUICK = ("--clip-length", "1", "--rate-per-user", "0.5")
"""A sixteenth of a clip per video."""


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*LOCUST, *options], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )


def environment() -> dict[str, str]:
    """Options from outside must not change a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LOAD_", "LOCUST_"))}


def run(host: str, report: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Return how Locust ended, and its results, if it wrote any."""
    process = start("--headless", "--only-summary", "--host", host, "--report", str(report), *QUICK, *options)
    stdout, stderr = process.communicate(timeout=300)
    done = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
    results = report / "results.json"
    return done, json.loads(results.read_text()) if results.is_file() else {}


def kinds(results: dict[str, Any]) -> set[str]:
    return {kind for of in results["outcomes"].values() for kind in of}


def number(results: dict[str, Any]) -> int:
    return sum(count for of in results["outcomes"].values() for count in of.values())
