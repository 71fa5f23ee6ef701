"""The ``panecho`` command, and what subcommands of other packages share with its own. Needs the extra ``cli``."""

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from panecho_client._lazy_names import lazy_names

if TYPE_CHECKING:
    from panecho_client._archive.output_folder import OutputFolder
    from panecho_client._archive.study_source import StudyFiles
    from panecho_client._commands.console import INTERRUPTED, make_messages
    from panecho_client._commands.options import Access, Clips, Names, Naming, RequestOptions, ServerOptions
    from panecho_client._commands.predict_archive import predict_sources
    from panecho_client.outputs.terminal import make_console

__all__ = [
    "INTERRUPTED",
    "Access",
    "Clips",
    "Names",
    "Naming",
    "OutputFolder",
    "RequestOptions",
    "ServerOptions",
    "StudyFiles",
    "main",
    "make_console",
    "make_messages",
    "predict_sources",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_names(
        __name__,
        {
            "panecho_client._archive.output_folder": ("OutputFolder",),
            "panecho_client._archive.study_source": ("StudyFiles",),
            "panecho_client._commands.console": ("INTERRUPTED", "make_messages"),
            "panecho_client._commands.options": (
                "Access",
                "Clips",
                "Names",
                "Naming",
                "RequestOptions",
                "ServerOptions",
            ),
            "panecho_client._commands.predict_archive": ("predict_sources",),
            "panecho_client.outputs.terminal": ("make_console",),
        },
    )


def main() -> None:
    """Run ``panecho`` and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name may hold letters that the output's encoding lacks
            stream.reconfigure(errors="replace")
    try:
        from panecho_client._commands.app import run  # noqa: PLC0415 - what is missing is named without a traceback
    except ModuleNotFoundError as error:
        sys.exit(f"panecho needs the cli extra; in a checkout: pip install './client[cli]' ({error}).")
    sys.exit(run(sys.argv[1:]))
