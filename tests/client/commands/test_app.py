"""The ``panecho`` command: subcommands that are found, listed, missing, wrongly used."""

import subprocess
import sys
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from panecho_client._commands.app import installed_commands
from support.commands import Result, invoke

PANECHO = Path(sys.executable).with_name("panecho")
COMMANDS = (
    "dataset",
    "dictionary",
    "doctor",
    "embed",
    "evaluate",
    "export",
    "index",
    "merge",
    "models",
    "predict",
    "report",
    "serve",
    "train",
    "watch",
)


def panecho(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PANECHO, *arguments], capture_output=True, text=True, check=False, timeout=60)


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="panecho.commands")


def imported(*arguments: str) -> set[str]:
    """Packages that a new interpreter has imported when the command ends."""
    code = (
        "import sys; from panecho_client._commands.app import run; run(sys.argv[1:]);"
        "print('IMPORTED', *{name.partition('.')[0] for name in sys.modules})"
    )
    finished = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(finished.stdout.rpartition("IMPORTED")[2].split())


def test_help_lists_the_commands() -> None:
    listed = invoke("--help")
    assert listed.exit_code == 0
    assert [command for command in COMMANDS if f" {command} " not in listed.stdout] == []
    assert invoke().stdout == listed.stdout


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = {"aiohttp", "asyncio", "cv2", "markdown_it", "numpy", "pydicom", "rich_rst", "torch", "tritonclient"}
    assert imported(*arguments) & heavy == set()


def test_only_the_command_that_runs_is_imported() -> None:
    assert imported("predict", "--help") & {"panecho_admin", "panecho_export", "panecho_server"} == set()


def test_version() -> None:
    assert panecho("--version").stdout.startswith("panecho 0.")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_exit_codes_and_describes_every_option(command: str) -> None:
    text = invoke(command, "--help").stdout
    assert "Exit status: 0 " in text
    assert f"Usage: panecho {command} " in text
    options = [line for line in text.splitlines() if line.removeprefix("│").lstrip(" *").startswith("--")]
    assert options
    described = [line.strip("│ *").partition("  ")[2].strip() for line in options]
    assert all(description[0].isupper() or description[0].islower() for description in described)


def test_interrupts_are_documented() -> None:
    assert "130 interrupted" in invoke("predict", "--help").stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--port", "1", "x"]])
@pytest.mark.parametrize("commands", [[entry("serve", "no_such_package.cli:serve")], []])
def test_command_of_a_missing_package_says_how_to_get_it(arguments: list[str], commands: list[EntryPoint]) -> None:
    commands = [*commands, entry("predict", "panecho_client._commands.predict:predict")]
    assert "pip install ./client '.[server]'" in " ".join(invoke("--help", commands=commands).stdout.split())
    result = invoke("serve", *arguments, commands=commands)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "panecho serve: needs panecho-triton[server]; in a checkout: pip install ./client '.[server]'" in result.stderr
    )


def test_other_command_that_cannot_be_loaded_is_named() -> None:
    result = invoke("extra", commands=[entry("extra", "no_such_package.cli:extra")])
    assert result.exit_code == 1
    assert "panecho extra: cannot be loaded: No module named 'no_such_package'" in result.stderr


def test_package_missing_while_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lazy_command.py").write_text("def export():\n    import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = invoke("export", commands=[entry("export", "lazy_command:export")])
    assert result.exit_code == 1
    assert "panecho export: needs panecho-triton[export]" in result.stderr
    assert "no_such_package" in result.stderr


def test_without_the_extra_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['cyclopts'] = None; from panecho_client.cli import main; main()"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith("panecho needs the cli extra; in a checkout: pip install './client[cli]'")
    assert "Traceback" not in finished.stderr


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


def test_embeddings_of_an_unreachable_server_are_not_waited_for(unused_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x")
    started = time.monotonic()
    finished = panecho("embed", tmp_path, "--url", unused_url, "--output", tmp_path / "a.npz")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert f"panecho embed: no server answers at {unused_url}" in finished.stderr
    assert time.monotonic() - started < 20


def test_missing_path(unused_url: str) -> None:
    finished = panecho("predict", "missing.dcm", "--url", unused_url)
    assert finished.returncode == 1
    assert finished.stderr == "panecho predict: missing.dcm does not exist; check the path.\n"


def wrong_usage(*arguments: str) -> str:
    result: Result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["predict"], "Give one of: PATHS, --index FILE, --dicomweb URL."),
        (["predict", "a.dcm", "--num-clips", "0"], "--num-clips is 0; it must be 1 or more."),
        (["predict", "a.dcm", "--num-clips", "x"], 'Invalid value for --num-clips: unable to convert "x" into int.'),
        (["predict", "a.dcm", "--num-clip", "1"], "Unknown option: --num-clip. Did you mean --num-clips?"),
        (["predict", "a.dcm", "--on-error", "x"], 'Invalid value "x" for --on-error. Choose from: "skip", "fail".'),
        (["predict", "a.dcm", "--json", "none/a.json"], "--json none/a.json: the folder none does not exist"),
        (["predict", "a.dcm", "--timeout", "0"], 'Invalid value "0.0" for --timeout. Must be > 0.'),
        (["predict", "a.dcm", "--header", "token"], "--header: 'token' is not NAME:VALUE."),
        (["predict", "a.dcm", "--root-certificates", "no.pem"], "--root-certificates: no.pem is not a file"),
        (["predict", "a.dcm", "--private-key", __file__], "certificate and --private-key go together"),
        (["predict", "a.dcm", "--tasks"], "--tasks requires an argument."),
        (["embed", "a.dcm", "--output", "a.csv"], "--output a.csv: name a .npz or .parquet file, or a folder."),
        (["index", "--output", "a.csv"], "PATHS requires an argument."),
        (["models", "deploy"], "panecho models deploy NEW."),
        (["models", "deploy", "new", "--evaluate", "t.csv"], "--evaluate TABLE and --min go together"),
        (["models", "--evaluate", "t.csv", "--min", "EF:mae<=6"], "--evaluate TABLE and --min go together"),
        (["models", "--admin-key-file", "none"], "--admin-key-file: none cannot be read"),
        (["export"], "Give one of: --checkpoint PATH, --released, --stand-in SEED"),
        (["export", "--stand-in", "0", "--parts", "study,x"], 'Invalid value "x" for --parts.'),
        (["export", "--stand-in", "0", "--clip-length", "65"], 'Invalid value "65" for --clip-length. Must be <= 64.'),
        (["serve", "--http-port", "x"], 'Invalid value for --http-port: unable to convert "x" into int.'),
    ],
)
def test_wrong_usage_names_the_option_and_what_to_do(arguments: list[str], text: str) -> None:
    said = wrong_usage(*arguments)
    assert said.startswith(f"panecho {arguments[0]}: ")
    assert text in said
    assert said.endswith(f" See panecho {arguments[0]} --help.\n")


def test_unknown_command() -> None:
    assert 'Unknown command "predct". Did you mean "predict"?' in wrong_usage("predct")


def test_options_stand_between_paths_and_may_be_repeated(unused_url: str) -> None:
    asked = ("predict", "missing.dcm", "--url", unused_url, "--tasks", "EF", "other.dcm", "--tasks=LVSize, RVSize")
    result = invoke(*asked, "--header", "A: 1", "--header", "B: 2")
    assert (result.exit_code, result.stderr) == (1, "panecho predict: missing.dcm does not exist; check the path.\n")


def test_every_installed_command_is_tested_here() -> None:
    assert sorted(command.name for command in installed_commands()) == list(COMMANDS)
