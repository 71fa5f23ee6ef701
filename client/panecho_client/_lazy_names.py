"""Public names whose modules take a while to import, loaded when they are first used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from sys import modules
from typing import Any


def lazy_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` (PEP 562).

    Args:
        package: Name of the package.
        homes: Names to load, by the module that defines them.
    """

    def load(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
        for home, names in homes.items():
            if name in names:
                value = getattr(import_module(home), name)
                setattr(modules[package], name, value)
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
