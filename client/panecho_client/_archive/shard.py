"""Splits an archive among several runs, and lists its studies."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

from panecho_client._archive.study_source import StudyInFiles, StudySource
from panecho_client._exceptions import FilesError
from panecho_client._files.whole_files import accessing, unfinished
from panecho_client.sources.local_study import LocalStudy

INDEX_COLUMNS = ("number", "study", "path")


@dataclass(frozen=True)
class Shard:
    """One of ``count`` parts of an archive.

    The SHA-256 of a study's pseudonym decides on its shard: always the same one, whatever else the archive holds,
    wherever its files are, and whatever its name in outputs. Studies of the same content share a shard.

    Example:
        >>> str(Shard.parse("2/3")), Shard(2, 3).holds("study-5b0c1f3f4a2e9d10")
        ('2/3', True)

    Attributes:
        index: From 0, as the ``JOB_COMPLETION_INDEX`` of a Kubernetes Job.
        count: Number of shards.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard of a text such as ``0/3``; ValueError for any other."""
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise ValueError(f"{text!r} is not INDEX/COUNT, with INDEX from 0 to COUNT - 1, such as 0/3.")
        return cls(int(index), int(count))

    def __str__(self) -> str:
        """Return what ``parse`` takes."""
        return f"{self.index}/{self.count}"

    def holds(self, pseudonym: str) -> bool:
        """Tell whether a study belongs to this shard, from its pseudonym without a key."""
        return int.from_bytes(hashlib.sha256(pseudonym.encode()).digest()[:8]) % self.count == self.index

    def take(self, sources: Iterable[StudySource]) -> list[StudySource]:
        """Return the studies of this shard, in the order given."""
        return [source for source in sources if self.holds(source.name(include_identifiers=False, pseudonym_key=b""))]


def write_index(path: Path, studies: Iterable[LocalStudy]) -> Iterator[int]:
    """Write the list of an archive's studies: a row per file, with the study's number and pseudonym.

    Args:
        path: A CSV file, replaced as a whole at the end.
        studies: From ``group_studies``. Paths are written as they are.

    Yields:
        The number of studies written so far.

    Raises:
        FilesError: It cannot be written.
    """
    with unfinished(path) as file, file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(INDEX_COLUMNS)
        for number, study in enumerate(studies):
            name = study.identity().study
            rows.writerows((number, name, path) for path in study.paths)
            yield number + 1


def read_index(path: Path, shard: Shard | None = None) -> list[StudySource]:
    """Return the studies of an index, or those of a shard, in the index's order. No file of a study is read.

    Raises:
        FilesError: The index cannot be read, is not an index, or is cut off.
    """
    with accessing(path, "read", "name an index that `panecho index` wrote"):
        opened = path.open(encoding="utf-8", errors="surrogateescape", newline="")
    with opened:
        try:
            return [
                StudyInFiles(LocalStudy(files)) for name, files in _studies(opened) if not shard or shard.holds(name)
            ]
        except (csv.Error, TypeError, ValueError):
            reason = f"{path} is not an index, or is damaged; write it again: panecho index"
            raise FilesError(reason, code="DATA_LOSS", paths=[path]) from None


def _studies(lines: Iterable[str]) -> Iterator[tuple[str, tuple[Path, ...]]]:
    rows = csv.reader(lines, strict=True)
    if tuple(next(rows, ())) != INDEX_COLUMNS:
        raise ValueError
    for expected, (number, group) in enumerate(groupby(rows, key=lambda row: row[:2])):
        if int(number[0]) != expected:
            raise ValueError
        yield number[1], tuple(Path(path) for _, _, path in group)
