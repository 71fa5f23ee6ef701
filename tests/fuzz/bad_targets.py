"""Functions with faults, to show that the harness notices each."""

import ctypes
import time
from collections.abc import Mapping


def crashes(_data: bytes, _options: Mapping[str, int | str]) -> object:
    """Read from address 0."""
    return ctypes.string_at(0)


def hangs(_data: bytes, _options: Mapping[str, int | str]) -> object:
    """Answer far too late."""
    time.sleep(600)
    return None


def raises(_data: bytes, _options: Mapping[str, int | str]) -> object:
    """Raise what is no VideoError."""
    raise KeyError("not a VideoError")


def swells(_data: bytes, _options: Mapping[str, int | str]) -> object:
    """Take 100 MB, and write to each page of it."""
    return b"\x01" * 100_000_000


def exits(_data: bytes, _options: Mapping[str, int | str]) -> object:
    """Try to end the process."""
    raise SystemExit(0)
