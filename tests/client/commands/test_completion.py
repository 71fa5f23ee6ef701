"""Completion by the Tab key, in a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panecho_client._commands.app import installed_commands

PANECHO = Path(sys.executable).with_name("panecho")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"HOME": str(home), "SHELL": "/bin/bash"}
    subprocess.run([PANECHO, "--install-completion"], check=True, capture_output=True, env=environment)
    return home


def completed(home: Path, *words: str) -> list[str]:
    """Words that bash offers in place of the last one."""
    script = (
        '. "$HOME/.bashrc"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE};'
        'function=$(complete -p panecho | sed "s/.*-F \\([^ ]*\\).*/\\1/");'
        '"$function" panecho "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}";'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "--norc", "-c", script, "bash", "panecho", *words]
    environment = os.environ | {"HOME": str(home)}
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=home)
    return sorted(finished.stdout.split())


def test_commands(home: Path) -> None:
    assert completed(home, "") == sorted(command.name for command in installed_commands())
    assert completed(home, "pre") == ["predict"]


def test_options_and_their_values(home: Path) -> None:
    assert completed(home, "predict", "--num") == ["--num-clips"]
    assert completed(home, "predict", "a.dcm", "--root") == ["--root-certificates"]
    assert completed(home, "predict", "--mask", "") == ["none", "published", "region", "sector"]
    assert completed(home, "models", "") == ["deploy", "rollback", "show"]


def test_files(home: Path) -> None:
    (home / "study.dcm").touch()
    assert completed(home, "predict", "stu") == ["study.dcm"]


@pytest.mark.parametrize(("shell", "word"), [("zsh", "#compdef panecho"), ("fish", "complete -c panecho")])
def test_other_shells(shell: str, word: str, tmp_path: Path) -> None:
    command: list[str | Path] = [PANECHO, "--install-completion", "--shell", shell, "--output", tmp_path / "script"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"HOME": str(tmp_path)})
    script = (tmp_path / "script").read_text()
    assert word in script
    assert all(option in script for option in ("num-clips", "image_encoder", "rollback"))
