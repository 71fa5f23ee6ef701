import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from panecho_client._commands.app import build_app, installed_commands

PANECHO = Path(sys.executable).with_name("panecho")


def panecho(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PANECHO, *arguments], capture_output=True, text=True, check=False, timeout=60)


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="panecho.commands")


def test_help_lists_the_commands_quickly() -> None:
    started = time.monotonic()
    finished = panecho("--help")
    assert finished.returncode == 0
    assert all(command in finished.stdout for command in ("predict", "serve", "export"))
    assert time.monotonic() - started < 5


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from panecho_client._commands.app import *; build_app(installed_commands());"
        "print(*{'torch', 'cv2', 'pydicom'} & set(sys.modules))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""


def test_version() -> None:
    assert panecho("--version").stdout.startswith("panecho 0.")


def test_exit_codes_are_documented() -> None:
    text = " ".join(panecho("predict", "--help").stdout.split())
    assert "Exit status: 0 done" in text
    assert "130 interrupted" in text


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--port", "1", "x"]])
def test_command_of_a_missing_extra_says_how_to_get_it(arguments: list[str]) -> None:
    app = build_app([entry("serve", "no_such_package.cli:serve"), entry("predict", "panecho_client.cli:predict")])
    runner = CliRunner()
    assert "serve" in runner.invoke(app, ["--help"]).stdout
    result = runner.invoke(app, ["serve", *arguments])
    assert result.exit_code == 1
    assert "panecho serve needs the server extra: pip install 'panecho-triton[server]'" in result.stderr
    assert "no_such_package" in result.stderr


def test_other_command_that_cannot_be_loaded_is_named() -> None:
    app = build_app([entry("extra", "no_such_package.cli:extra"), entry("predict", "panecho_client.cli:predict")])
    result = CliRunner().invoke(app, ["extra"])
    assert result.exit_code == 1
    assert "panecho extra cannot be loaded: No module named 'no_such_package'" in result.stderr


def test_package_missing_while_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lazy_command.py").write_text("def export():\n    import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    app = build_app([entry("export", "lazy_command:export"), entry("predict", "panecho_client.cli:predict")])
    result = CliRunner().invoke(app, ["export"])
    assert result.exit_code == 1
    assert "panecho export needs the export extra" in result.stderr


def test_every_installed_command_loads() -> None:
    assert {command.name for command in installed_commands()} >= {"predict", "serve", "export"}
    for command in installed_commands():
        command.load()


def test_unreachable_server(unused_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x")
    (tmp_path / ".hidden").write_bytes(b"x")
    started = time.monotonic()
    finished = panecho("predict", tmp_path, "--url", unused_url)
    assert finished.returncode == 1
    assert time.monotonic() - started < 10
    assert finished.stdout == ""
    said = finished.stderr.splitlines()
    assert said[0] == "left out 1 file: hidden"
    assert said[1] == f"Predicting 1 file at {unused_url}"
    assert said[2].startswith(f"panecho predict: no server answers at {unused_url}")
    assert "panecho serve" in said[2]
    assert len(said) == 3


def test_missing_path(unused_url: str) -> None:
    finished = panecho("predict", "missing.dcm", "--url", unused_url)
    assert finished.returncode == 1
    assert finished.stderr == "panecho predict: missing.dcm does not exist; check the path.\n"


@pytest.mark.parametrize(
    "arguments", [[], ["a.dcm", "--num-clips", "0"], ["a.dcm", "--on-error", "x"], ["a.dcm", "--json", "none/a.json"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert panecho("predict", *arguments).returncode == 2
