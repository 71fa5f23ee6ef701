"""The ``panecho`` command."""

import sys


def main() -> None:
    """Run ``panecho``."""
    try:
        from panecho_client._commands.app import build_app, installed_commands  # noqa: PLC0415 - needs the extra cli
    except ModuleNotFoundError as error:
        sys.exit(f"panecho needs the cli extra: pip install 'panecho-client[cli]' ({error}).")
    build_app(installed_commands())()
