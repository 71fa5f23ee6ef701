"""Finds the files that paths name: below folders, and in ZIP files."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from panecho_client._exceptions import FilesError
from panecho_client._files.file_bytes import reading
from panecho_client._files.zip_files import is_zip, members, zip_of

StrPath: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A path below a given folder that is not sent, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class FoundFiles:
    """Files of a study in the order in which they are sent, and what was left out."""

    files: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def find_files(paths: StrPath | Iterable[StrPath]) -> FoundFiles:
    """Find the files that the paths name: files themselves, and everything below folders and ZIP files, sorted.

    A member of a ZIP file has the path ``study.zip/IM0001``. Links to folders are followed, after the folders
    themselves; each folder is read once. Hidden files below a folder (a part of the path starts with a dot), anything
    that is not a regular file, files named twice, and links to a folder that was read or that holds the link are left
    out.

    Example:
        >>> found = find_files("study/")
        >>> found.files, found.left_out
        ((PosixPath('study/a.dcm'),), (LeftOut(path=PosixPath('study/.DS_Store'), reason='hidden'),))

    Raises:
        FilesError: A path does not exist or cannot be read, or no file is left.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not given:
        raise FilesError("no file was given; name the files of one study, or a folder that holds them.")
    files: dict[Path, Path] = {}
    left_out: list[LeftOut] = []
    for root in given:
        for path, reason in _listed(root):
            repeated = reason is None and files.setdefault(path.resolve(), path) is not path
            if reason or repeated:
                left_out.append(LeftOut(path=path, reason=reason or "named twice"))
    if not files:
        names = ", ".join(map(str, given))
        hidden = f" ({len(left_out)} left out: hidden, links or not regular files)" if left_out else ""
        raise FilesError(f"{names}: no file found{hidden}; name the files of one study.", paths=given)
    return FoundFiles(files=tuple(files.values()), left_out=tuple(left_out))


def shown_path(path: Path) -> str:
    """Return a path as text that can be written even if its name is not valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def _listed(root: Path) -> list[tuple[Path, str | None]]:
    """Return the paths that a given path stands for, each with the reason why it is left out, or None."""
    with reading(root):
        return [listed for path in _below(root) for listed in _expanded(path, root)]


def _expanded(path: Path, root: Path) -> Iterable[tuple[Path, str | None]]:
    """Return a file and the reason why it is left out, or None; for a ZIP file that is sent, its members instead."""
    with reading(path):
        reason = _why_left_out(path, root)
        return list(members(path)) if reason is None and is_zip(path) else [(path, reason)]


def _below(root: Path) -> Iterator[Path]:
    if zip_of(root):
        yield root
        return
    if not root.exists():
        raise FilesError(f"{root} does not exist; check the path.", code="NOT_FOUND", paths=[root])
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise FilesError(f"{root} is neither a file nor a folder; name a file.", paths=[root])
    yield from _walked(root, set())


def _walked(root: Path, read: set[Path]) -> Iterator[Path]:
    """Yield the files below a folder, and links to folders that are not followed; ``read`` holds those read so far."""
    links = []
    for folder, folders, names in os.walk(root, onerror=_raise):
        read.add(Path(folder).resolve())
        paths = [Path(folder, name) for name in sorted(folders)]
        links += [path for path in paths if path.is_symlink()]
        folders[:] = [path.name for path in paths if not path.is_symlink() and path.resolve() not in read]
        yield from (Path(folder, name) for name in sorted(names))
    for link in links:
        if _is_hidden(link, root) or link.resolve() in read or _holds_itself(link):
            yield link
        else:
            yield from _walked(link, read)


def _holds_itself(link: Path) -> bool:
    return link.parent.resolve().is_relative_to(link.resolve())


def _raise(error: OSError) -> NoReturn:
    with reading(Path(error.filename)):  # not the given folder: one below it
        raise error


def _why_left_out(path: Path, root: Path) -> str | None:
    if path == root or zip_of(root):
        return None
    if _is_hidden(path, root):
        return "hidden"
    if path.is_dir():
        return "link to a folder that holds it" if _holds_itself(path) else "link to a folder that was read already"
    return None if path.is_file() else "not a regular file"


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
