"""The ``panecho`` command: one subcommand per entry point of the group ``panecho.commands``."""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from inspect import signature
from typing import Annotated, Any, NoReturn, get_args

from cyclopts import App, CycloptsError, Group, Parameter

from panecho_client._commands.console import HelpFormatter, exit_status
from panecho_client._exceptions import PanEchoError

REQUIREMENTS = {
    "dataset": "panecho-triton[training]",
    "doctor": "panecho-triton",
    "evaluate": "panecho-triton[evaluation]",
    "export": "panecho-triton[export]",
    "models": "panecho-triton",
    "serve": "panecho-triton[server]",
    "train": "panecho-triton[training]",
}
"""What to install for the subcommands of other packages."""

ABOUT = "From an echocardiography study to PanEcho's predictions. Research use only; not for clinical use."

# A word such as num_clips or pseudonym_key, unless it is part of a path.
FIELD = re.compile(r"(?<![\w/.-])[a-z]+(?:_[a-z]+)+(?![\w/-]|\.\w)")

Command = Callable[..., Any]


def installed_commands() -> EntryPoints:
    """Return the entry points of every installed subcommand."""
    return entry_points(group="panecho.commands")


def run(arguments: Sequence[str], commands: Iterable[EntryPoint] | None = None) -> int:
    """Run ``panecho`` and return its exit status.

    Args:
        arguments: What follows ``panecho`` on the command line.
        commands: Subcommands; all that are installed by default.
    """
    entries = {entry.name: entry for entry in (installed_commands() if commands is None else commands)}
    name = arguments[0] if arguments and arguments[0] in {*entries, *REQUIREMENTS} else None
    app = _new_app()
    for known in sorted({*entries, *REQUIREMENTS}) if name is None else [name]:  # only this one needs to be imported
        _add(app, known, entries.get(known))
    if name is None:
        app.register_install_completion_command(help="Install completion by the Tab key for bash, zsh or fish.")
    return exit_status(f"panecho {name}" if name else "panecho", lambda: _run(app, arguments))


def _new_app() -> App:
    return App(
        name="panecho",
        help=ABOUT,
        usage="Usage: panecho COMMAND",
        help_format="plaintext",
        help_formatter=HelpFormatter(),
        version=_version,
        group_parameters=Group("Options", sort_key=0),
        default_parameter=Parameter(negative=(), show_default=_shown_default),
    )


def _add(app: App, name: str, entry: EntryPoint | None) -> None:
    """Add a subcommand; one that is not installed, or cannot be imported, is listed and says what to install."""
    try:
        if entry is None:
            raise ModuleNotFoundError("it is not installed")
        command = entry.load()
        app.command(_guarded(name, command), name=name, usage=f"Usage: panecho {name} {_arguments(command)}")
    except ImportError as error:
        # Whatever the arguments are, --help included, the answer is the same.
        text = _missing(name, error)
        missing = App(name=name, help=text, help_flags=(), version_flags=())
        missing.default(functools.partial(_stop, text))
        app.command(missing)


def _arguments(command: Command) -> str:
    """Return what follows a subcommand's name, such as ``[OPTIONS] [PATHS...]``."""
    required, optional = [], []
    for parameter in signature(command).parameters.values():
        name = parameter.name.upper()
        if parameter.kind is parameter.VAR_POSITIONAL:
            needed = any(note.required for note in get_args(parameter.annotation)[1:])
            optional.append(f"{name}..." if needed else f"[{name}...]")
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            optional.append(f"[{name}]")
        elif parameter.default is parameter.empty:
            required.append(f"--{parameter.name.replace('_', '-')} {name}")
    return " ".join([*required, "[OPTIONS]", *optional])


def _stop(text: str, *_: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> NoReturn:
    raise SystemExit(text)


def _guarded(name: str, command: Command) -> Command:
    """Return the command, with a missing package reported even when it is imported only as the command runs."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any command's arguments
        try:
            return command(*args, **kwargs)
        except ModuleNotFoundError as error:
            raise SystemExit(_missing(name, error)) from None

    return guarded


def _missing(name: str, error: ImportError) -> str:
    if name not in REQUIREMENTS:
        return f"cannot be loaded: {error}."
    extra = REQUIREMENTS[name].removeprefix("panecho-triton")
    return f"needs {REQUIREMENTS[name]}; in a checkout: pip install ./client '.{extra}' ({error})."


def _run(app: App, arguments: Sequence[str]) -> int | None:
    try:
        command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    except PanEchoError as error:
        raise CycloptsError(msg=_as_options(str(error))) from None
    status: int | None = command(*bound.args, **bound.kwargs)
    return status


def _as_options(text: str) -> str:
    """Return an error's text with options instead of the fields of the dataclass that refuses them."""
    return FIELD.sub(lambda field: f"--{field[0].replace('_', '-')}", text)


def _shown_default(value: object) -> str | None:
    """Return a default for the help; nothing for what is left out or off by default."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or None
    return None if value is None or value is False or value == {} else str(value)


def _version() -> str:
    from panecho_client._description import VERSION

    return f"panecho {VERSION}"
