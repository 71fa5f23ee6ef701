"""Every ``panecho`` and ``make`` command line of README and docs is one that exists, with options that parse.

The real parser reads them. Functions of the same signature replace the subcommands, so nothing runs.
"""

import functools
import re
import shlex
import shutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import trustme

from panecho_client._commands.app import installed_commands, run

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL_BLOCK = re.compile(r"^ *```(?:sh|bash)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
ENDS = {"|", "||", "&", "&&", ";", ">", ">>", "<", "(", ")", "2>"}
VALUES = {"$token": "t", "$shard": "0", "$HARDWARE": "cpu", "$framing": "masked"}


def words(line: str) -> list[str]:
    """A shell line as words; operators are words of their own."""
    for name, value in VALUES.items():
        line = line.replace(name, value)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    return list(lexer)


def command_lines(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of each call of a program in shell text."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        found = words(line) if re.search(rf"\b{program}\b", line) else []
        starts = [n for n, word in enumerate(found) if word == program and (n == 0 or found[n - 1] in {*ENDS, "do"})]
        for start in starts:
            rest = found[start + 1 :]
            ends = [n for n, word in enumerate(rest) if word in ENDS]
            yield rest[: ends[0]] if ends else rest


def shell_of(page: Path) -> str:
    return "\n".join(SHELL_BLOCK.findall(page.read_text()))


CALLS = [(page.stem, call) for page in PAGES for call in command_lines(shell_of(page), "panecho")]
INLINE = [
    (page.stem, call)
    for page in PAGES
    for code in CODE.findall(SHELL_BLOCK.sub("", page.read_text()))
    if code.startswith("panecho ") and "…" not in code
    for call in command_lines(code, "panecho")
]


class ParsedOnly(EntryPoint):
    """An entry point whose function does nothing."""

    def load(self) -> Any:  # noqa: ANN401 - as the entry point's
        @functools.wraps(super().load())
        def nothing(*_: object, **__: object) -> int:
            return 0

        return nothing


COMMANDS = [ParsedOnly(entry.name, entry.value, entry.group) for entry in installed_commands()]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEM files: an authority, and key and certificate of a server and of callers."""
    target, authority = tmp_path_factory.mktemp("certificates"), trustme.CA()
    authority.cert_pem.write_to_path(target / "ca.pem")
    for name in ("server", "client", "me"):
        certificate = authority.issue_cert(f"{name}@example.org")
        certificate.private_key_pem.write_to_path(target / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(target / f"{name}.pem")
    return target


@pytest.fixture
def folder(tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What examples name: a study, an export, files; and a home with a shell, as completion is installed there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    for name in ("study", "archive", "shards/0", "build/next", "build/model_repository", "deploy"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("panecho.pt", "cine.dcm", "index.csv"):
        (tmp_path / name).touch()
    shutil.copytree(certificates, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("page", "call"), CALLS, ids=[f"{page}: {' '.join(call)}" for page, call in CALLS])
def test_call_parses(page: str, call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status = run(call, COMMANDS)
    assert status == 0, f"{page}: {capsys.readouterr().err}"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "call", ["predict study/ --task EF", "serve --profiles cpu", "predict --num-clips four", "prophesy"]
)
def test_a_wrong_call_is_found(call: str) -> None:
    assert run(call.split(), COMMANDS) != 0


def options_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    run([command, "--help"], COMMANDS)
    return set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))


def test_options_named_in_text_exist(capsys: pytest.CaptureFixture[str]) -> None:
    known = {entry.name: options_of(entry.name, capsys) for entry in COMMANDS}
    unknown = [
        f"{page}: panecho {' '.join(call)}"
        for page, call in INLINE
        if call
        and not call[0].startswith("--")
        and (
            (call[0] not in known and call[0] != "COMMAND")
            or {word.partition("=")[0] for word in call if word.startswith("--")} - known.get(call[0], {"--help"})
        )
    ]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_make_targets_exist(page: Path) -> None:
    text = page.read_text()
    inline = "\n".join(code for code in CODE.findall(SHELL_BLOCK.sub("", text)) if code.startswith("make "))
    named = {word for call in command_lines(f"{shell_of(page)}\n{inline}", "make") for word in call}
    settings = {word.partition("=")[0] for word in named if "=" in word}
    assert named - TARGETS - {word for word in named if "=" in word} == set()
    assert {name for name in settings if not re.search(rf"^{name} \?=", MAKEFILE, re.MULTILINE)} == set()


def test_command_lines_are_found() -> None:
    text = "x && panecho predict a/ \\\n  --url b | jq .\nfor s in 0; do\n  panecho serve &\ndone # panecho no\n"
    assert list(command_lines(text, "panecho")) == [["predict", "a/", "--url", "b"], ["serve"]]
    assert list(command_lines("make setup test", "make")) == [["setup", "test"]]
