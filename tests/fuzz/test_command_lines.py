"""Nothing that a user can type ends in a traceback: each option of each command, with values that make no sense."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.command_lines import BEGINNINGS, VALUES, command_lines, fault, no_tritonserver, options

LOADS_A_MODEL = ("--local", "--stand-in")
"""Take a minute each on two cores where they are taken."""


def faults(command: str, repository: Path, *, every: int) -> list[str]:
    lines = [line for number, line in enumerate(command_lines(command, repository)) if number % every == 0]
    with no_tritonserver():
        found = [fault(line) for line in lines if not line[-1].startswith(LOADS_A_MODEL)]
    return [f"{' '.join(each.arguments)[:200]!a}: {each.found[-500:]}" for each in found if each]


@pytest.mark.parametrize("command", BEGINNINGS)
def test_options_with_wrong_values_end_in_a_line(command: str, repository: Path) -> None:
    """One value of each option, another one for each."""
    assert options(command)
    assert faults(command, repository, every=len(VALUES) + 2) == []


@pytest.mark.long
@pytest.mark.parametrize("command", BEGINNINGS)
def test_every_option_with_every_wrong_value_ends_in_a_line(command: str, repository: Path) -> None:
    assert faults(command, repository, every=1) == []


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_names_that_the_output_cannot_hold_get_substitutes(tmp_path: Path, unused_url: str, encoding: str) -> None:
    """Also a name that is no UTF-8, on any output."""
    for name in ("心エコー.dcm", os.fsdecode(b"\xff.dcm")):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [Path(sys.executable).with_name("panecho"), "predict", *tmp_path.iterdir(), "--url", unused_url],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b".dcm: no file found" in done.stderr
