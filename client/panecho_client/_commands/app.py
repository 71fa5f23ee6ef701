"""The ``panecho`` command: one subcommand per entry point of the group ``panecho.commands``."""

import functools
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Annotated, Any, NoReturn

import typer

from panecho_client._description import VERSION

EXTRAS = {"serve": "server", "export": "export"}

Command = Callable[..., Any]


def installed_commands() -> EntryPoints:
    """Return the entry points of every installed subcommand."""
    return entry_points(group="panecho.commands")


def build_app(commands: Iterable[EntryPoint]) -> typer.Typer:
    """Return the app with these subcommands.

    A command whose package cannot be imported is still listed; it then says which extra to install.
    """
    app = typer.Typer(
        name="panecho",
        help="From an echocardiography study to PanEcho's predictions. Research use only; not for clinical use.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for entry in sorted(commands, key=lambda entry: entry.name):
        _add(app, entry)
    return app


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda value: _print_version(wanted=value))
    ] = False,
) -> None:
    """Take the options that come before a subcommand."""


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"panecho {VERSION}")
        raise typer.Exit


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    try:
        app.command(entry.name)(_guarded(entry.name, entry.load()))
    except ImportError as error:
        # Whatever its arguments are, --help included, the answer is the same.
        settings = {"allow_extra_args": True, "ignore_unknown_options": True}
        text = _missing(entry.name, error)
        app.command(entry.name, help=text, context_settings=settings, add_help_option=False)(_stub(text))


def _stub(text: str) -> Command:
    def run() -> None:
        _stop(text)

    return run


def _guarded(name: str, command: Command) -> Command:
    """Return the command, with a missing package reported even when it is imported only as the command runs."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any command's arguments
        try:
            return command(*args, **kwargs)
        except ModuleNotFoundError as error:
            return _stop(_missing(name, error))

    return run


def _stop(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(1)


def _missing(name: str, error: ImportError) -> str:
    if name not in EXTRAS:
        return f"panecho {name} cannot be loaded: {error}."
    extra = EXTRAS[name]
    return f"panecho {name} needs the {extra} extra: pip install 'panecho-triton[{extra}]' ({error})."
