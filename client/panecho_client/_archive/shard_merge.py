"""Joins the tables of all shards of an archive to those of a single run."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from panecho_client._archive.joined_tables import (
    FAILURES,
    TABLES,
    WITHOUT_CINE,
    Failure,
    read_failures,
    write_failures,
    write_tables,
)
from panecho_client._archive.output_folder import SETTINGS, Setting
from panecho_client._archive.shard import Shard
from panecho_client._exceptions import FilesError
from panecho_client._files.whole_files import accessing, write_whole
from panecho_client.outputs.stored_results import PREDICTION

FINISHED = "shard.json"
SHARD = "shard"


@dataclass(frozen=True, kw_only=True)
class Part:
    """The output folder of a shard that was run to its end."""

    folder: Path
    shard: Shard
    settings: dict[str, Setting]
    studies: tuple[Path, ...]
    failures: tuple[Failure, ...]
    without_cine: tuple[Failure, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what the folder holds.

        Raises:
            FilesError: It is not of a shard, cannot be read, or lacks a study.
        """
        settings = _read_json(folder / SETTINGS)
        try:
            shard = Shard.parse(str(settings.pop(SHARD)))
        except (KeyError, ValueError):
            raise FilesError(f"{folder} is not the --output of a run with --shard.", paths=[folder]) from None
        studies, failures = _read_studies(folder), read_failures(folder / FAILURES)
        without_cine = read_failures(folder / WITHOUT_CINE)
        finished = _read_json(folder / FINISHED).get("studies")
        found = len(studies) + len(failures) + len(without_cine)
        if found != finished:
            content = f"holds {found} of {finished} studies" if finished is not None else "was not run to its end"
            raise FilesError(
                f"{folder} (shard {shard}) {content}; run that shard again with --resume.",
                code="DATA_LOSS",
                paths=[folder],
            )
        return cls(
            folder=folder,
            shard=shard,
            settings=settings,
            studies=studies,
            failures=failures,
            without_cine=without_cine,
        )


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What ``merge`` wrote.

    Attributes:
        tables: Files.
        shards: Number of shards.
        studies: Number of studies that have results.
        failed: Number of studies that have none.
        without_cine: Number of studies that hold nothing to predict.
    """

    tables: tuple[Path, ...]
    shards: int
    studies: int
    failed: int
    without_cine: int

    @property
    def summary(self) -> str:
        """What became of the studies."""
        total = self.studies + self.failed + self.without_cine
        empty = f", {self.without_cine} without a cine (nothing to predict)" if self.without_cine else ""
        return f"{self.shards} shards: {self.studies} of {total} studies predicted, {self.failed} failed{empty}."


def note_finished(folder: Path) -> None:
    """Note that a shard was run to its end, and how many studies it holds.

    Raises:
        FilesError: It cannot be written.
    """
    others = (read_failures(folder / table) for table in (FAILURES, WITHOUT_CINE))
    studies = len(_read_studies(folder)) + sum(map(len, others))
    write_whole(folder / FINISHED, f"{json.dumps({'studies': studies})}\n".encode())


def find_parts(folders: Sequence[Path]) -> list[Path]:
    """Return the folders of shards: those given, or those directly below a given folder that is not one itself.

    Raises:
        FilesError: A given folder is not one and holds none.
    """
    parts: list[Path] = []
    for folder in folders:
        found = (
            [folder] if (folder / SETTINGS).is_file() else sorted(path.parent for path in folder.glob(f"*/{SETTINGS}"))
        )
        if not found:
            raise FilesError(f"{folder} holds no --output of a run with --shard; check the path.", paths=[folder])
        parts += found
    return parts


def merge(folders: Sequence[Path], output: Path) -> Merged:
    """Write the tables of a single run over all the shards' studies.

    Args:
        folders: The output folder of every shard, in any order.
        output: Folder to write to; tables there are replaced.

    Raises:
        FilesError: A shard is missing, unfinished or there twice; shards were run with different settings or hold the
            same study; or a table cannot be read or written.
    """
    parts = sorted(map(Part.read, folders), key=lambda part: part.shard.index)
    _require_all(parts)
    _require_same_settings(parts)
    studies = sorted((study for part in parts for study in part.studies), key=lambda study: study.name)
    failures = sorted((failure for part in parts for failure in part.failures), key=lambda failure: failure.study)
    empty = sorted((found for part in parts for found in part.without_cine), key=lambda found: found.study)
    _require_distinct([study.name for study in studies] + [found.study for found in (*failures, *empty)])
    with accessing(output):
        output.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_failures(output / FAILURES, failures)
    write_failures(output / WITHOUT_CINE, empty)
    settings = next((part.settings for part in parts if part.studies), {})  # an empty shard has none of its own
    write_tables(output, studies, parquet=bool(settings.get("parquet")), embeddings=bool(settings.get("embeddings")))
    tables = tuple(path for table in TABLES if (path := output / table).exists())
    return Merged(tables=tables, shards=len(parts), studies=len(studies), failed=len(failures), without_cine=len(empty))


def _require_all(parts: Sequence[Part]) -> None:
    count = parts[0].shard.count
    if {part.shard.count for part in parts} != {count}:
        shards = ", ".join(f"{part.folder} is {part.shard}" for part in parts)
        raise FilesError(f"these are shards of different runs: {shards}.", paths=[part.folder for part in parts])
    times = Counter(part.shard.index for part in parts)
    wrong = [f"{Shard(index, count)} is {'missing' if not times[index] else 'there twice'}" for index in range(count)]
    wrong = [text for index, text in enumerate(wrong) if times[index] != 1]
    if wrong:
        raise FilesError(f"shard {', shard '.join(wrong)}; give the folder of every shard once.")


def _require_same_settings(parts: Sequence[Part]) -> None:
    parts = [
        part for part in parts if part.studies or part.failures or part.without_cine
    ]  # an empty shard was run without a server
    for first, part in pairwise(parts):
        names = first.settings.keys() | part.settings.keys()
        other = sorted(name for name in names if first.settings.get(name) != part.settings.get(name))
        if other:
            raise FilesError(
                f"{first.folder} and {part.folder} were run with different {', '.join(other)}; run one of them again.",
                paths=[first.folder, part.folder],
            )


def _require_distinct(names: Iterable[str]) -> None:
    name, times = Counter(names).most_common(1)[0] if (names := list(names)) else ("", 0)
    if times > 1:
        raise FilesError(f"{name} is in several shards, which are of different archives; merge those of one.")


def _read_json(path: Path) -> dict[str, Setting]:
    with accessing(path, "read", "name the --output of a run with --shard"):
        if not path.exists():
            return {}
        content = path.read_bytes()
    try:
        return dict(json.loads(content))
    except (TypeError, ValueError):
        raise FilesError(f"{path} was not written by panecho.", code="DATA_LOSS", paths=[path]) from None


def _read_studies(folder: Path) -> tuple[Path, ...]:
    return tuple(path.parent for path in folder.glob(f"studies/[!.]*/{PREDICTION}"))
