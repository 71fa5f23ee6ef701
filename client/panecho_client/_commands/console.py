"""What the ``panecho`` command says on stderr, and how an error becomes a line and an exit status."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from cyclopts import CycloptsError
from rich.console import Console, ConsoleOptions
from rich.text import Text

from panecho_client._exceptions import PanEchoError
from panecho_client.outputs.printable import hide_controls

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel, InlineText

FAILED = 1
WRONG_USAGE = 2
SOME_FAILED = 3
UNAVAILABLE = 5
"""The server, or the one that holds the studies, does not answer: the same again later may succeed."""
INTERRUPTED = 130


def make_messages() -> Console:
    """Return a console on stderr that breaks no line."""
    return hide_controls(Console(stderr=True, highlight=False, soft_wrap=True))


def exit_status(command: str, run: Callable[[], int | None]) -> int:
    """Run a command and return its exit status; an error is said in one line.

    Args:
        command: Name to begin the line with, such as ``panecho predict``.
        run: The command. It returns its exit status (None is 0), or raises CycloptsError for wrong usage,
            PanEchoError, or SystemExit with a text or a status.
    """
    try:
        return run() or 0
    except CycloptsError as error:
        error.verbose = False
        return _fail(f"{command}: {error} See {command} --help.", WRONG_USAGE)
    except PanEchoError as error:
        return _fail(f"{command}: {error}", FAILED)
    except OSError as error:  # such as a path that is too long to look at
        named = f"{error.filename}: " if error.filename else ""
        return _fail(f"{command}: {named}{error.strerror or error}.", FAILED)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else _fail(f"{command}: {error.code}", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED


def _fail(text: str, status: int) -> int:
    make_messages().print(text, style="red", markup=False)
    return status


class HelpFormatter:
    """Shows docstrings as text: lines of a paragraph are joined, and names stand in single backquotes."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: "HelpPanel") -> None:
        """Print a panel of options or commands."""
        from cyclopts.help.formatters import DefaultFormatter

        for entry in panel.entries:
            _as_text(entry.description)
        DefaultFormatter()(console, options, panel)

    def render_description(self, console: Console, _options: ConsoleOptions, description: "InlineText") -> None:
        """Print what a command does."""
        _as_text(description)
        console.print(description)


def _as_text(description: "InlineText") -> None:
    if isinstance(description.primary_renderable, Text):
        joined = re.sub(r"(?<!\n)\n(?!\n)", " ", description.primary_renderable.plain)
        description.primary_renderable = Text(joined.replace("``", "`"))
