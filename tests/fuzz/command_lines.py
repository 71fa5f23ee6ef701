"""Command lines as a user may mistype them: each option of each command with values that it does not expect."""

import re
import subprocess
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from panecho_client._commands.console import UNAVAILABLE
from panecho_server import TritonServer
from support.commands import Result, invoke

OPTION = re.compile(r"^[│ *]*(--[a-z][a-z0-9-]*)", re.MULTILINE)
NOT_TRIED = {"--help", "--version", "--install-completion"}

VALUES = (
    "",
    " ",
    "-1",
    "0",
    "65536",
    "99999999999999999999999999",
    "1e999",
    "nan",
    "-inf",
    "x",
    "é日本\U0001f600",
    "\udcff",  # a byte that is no UTF-8, as Python passes it on
    "=",
    ":",
    "a=b",
    "a:b",
    "%s{}[bold]",
    "::1",
    "[",
    "/",
    "/dev/null",
    "no/such/path",
    "http://[::1",
    "http://host:99999/x",
    "\r\n",
    "x" * 5000,
)

STATUSES = (0, 1, 2, 3, UNAVAILABLE, 130)

# What comes before the option: enough for the command to be run, with nothing there to be found.
CLOSED = "127.0.0.1:9"
BEGINNINGS = {
    "dataset": ["check", "a.csv"],
    "doctor": ["--url", CLOSED],
    "embed": ["a.dcm", "--url", CLOSED, "--output", "a.npz"],
    "evaluate": ["a.csv"],
    "export": ["--checkpoint", "a.pt", "--model-repository", "out"],
    "index": ["a.dcm", "--output", "index.csv"],
    "merge": ["out"],
    "models": ["--url", CLOSED],
    "predict": ["a.dcm", "--url", CLOSED],
    "serve": ["--model-repository", "REPOSITORY", "--grpc-port=0", "--http-port=0", "--metrics-port=0"],
    "train": ["a.csv", "--init", "a.pt", "--output", "run"],
}


class Fault(NamedTuple):
    """A command line that ended otherwise than with a line for its user."""

    arguments: list[str]
    found: str


def options(command: str) -> list[str]:
    """Return the options that a command's help lists."""
    return sorted({*OPTION.findall(invoke(command, "--help").stdout)} - NOT_TRIED)


def command_lines(command: str, repository: Path) -> Iterator[list[str]]:
    """Yield each option with each value, and with none."""
    beginning = [part.replace("REPOSITORY", str(repository)) for part in BEGINNINGS[command]]
    for option in options(command):
        kept = _without(option, beginning)
        yield [command, *kept, option]
        for value in VALUES:
            yield [command, *kept, f"{option}={value}"]


def _without(option: str, arguments: list[str]) -> list[str]:
    """Leave an option out, as it may be given once."""
    kept = [argument for argument in arguments if not argument.startswith(f"{option}=")]
    if option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept


def fault(arguments: list[str]) -> Fault | None:
    """Run a command line in an empty folder; return what is wrong with how it ends, None if nothing is."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("a.dcm").write_bytes(b"not DICOM")
        Path("a.csv").write_text("path,split\n")
        try:
            result = invoke(*arguments)
        except BaseException:  # noqa: BLE001 - whatever leaves the command is what is looked for
            return Fault(arguments, traceback.format_exc())
    return _judged(arguments, result)


def _judged(arguments: list[str], result: Result) -> Fault | None:
    if result.exit_code not in STATUSES or "Traceback" in result.output:
        return Fault(arguments, f"status {result.exit_code}: {result.output}")
    if result.exit_code and not result.output.strip():
        return Fault(arguments, f"status {result.exit_code} without a word")
    return None


@contextmanager
def no_tritonserver() -> Iterator[None]:
    """Have `panecho serve` do everything but run tritonserver: what takes its place ends at once."""

    def start(_self: TritonServer, _folder: object, _log: object) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["/bin/true"], start_new_session=True)

    with mock.patch.object(TritonServer, "_start_tritonserver", start):
        yield
