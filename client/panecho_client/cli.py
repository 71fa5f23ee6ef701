"""The ``panecho`` command, and what subcommands of other packages share with its own. Needs the extra ``cli``."""

import sys
from typing import TYPE_CHECKING

from panecho_client._lazy_names import lazy_names

if TYPE_CHECKING:
    from panecho_client._commands.console import make_messages
    from panecho_client._commands.options import Access
    from panecho_client.outputs.terminal import make_console

__all__ = ["Access", "main", "make_console", "make_messages"]

if not TYPE_CHECKING:
    __getattr__ = lazy_names(
        __name__,
        {
            "panecho_client._commands.console": ("make_messages",),
            "panecho_client._commands.options": ("Access",),
            "panecho_client.outputs.terminal": ("make_console",),
        },
    )


def main() -> None:
    """Run ``panecho`` and exit with its status."""
    try:
        from panecho_client._commands.app import run  # noqa: PLC0415 - what is missing is named without a traceback
    except ModuleNotFoundError as error:
        sys.exit(f"panecho needs the cli extra: pip install 'panecho-client[cli]' ({error}).")
    sys.exit(run(sys.argv[1:]))
