"""The ``panecho`` command."""

from panecho_client._commands.app import build_app, installed_commands


def main() -> None:
    """Run ``panecho``."""
    build_app(installed_commands())()
