"""Runs ``panecho`` within the test's process."""

import io
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest import mock

from panecho_client._commands.app import run

WIDE = {"COLUMNS": "200"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command left."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def invoke(*arguments: str | Path, commands: Iterable[EntryPoint] | None = None) -> Result:
    """Run ``panecho`` on a terminal 200 columns wide."""
    with (
        mock.patch.dict("os.environ", WIDE),
        redirect_stdout(io.StringIO()) as stdout,
        redirect_stderr(io.StringIO()) as stderr,
    ):
        exit_code = run([str(argument) for argument in arguments], commands)
    return Result(exit_code=exit_code, stdout=stdout.getvalue(), stderr=stderr.getvalue())
