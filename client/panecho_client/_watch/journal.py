"""What ``panecho watch`` has to remember: how far it got, and which studies wait or failed.

It is in a database of the folder. Every change is on the disk before the next step, so that nothing is lost whenever
the process is killed. What was predicted stands in the studies' folders, and the PACS tells what was stored.
"""

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from panecho_client._archive.joined_tables import Failure
from panecho_client._exceptions import FilesError, PanEchoError

__all__ = ["JOURNAL", "Journal", "WaitingStudy"]

JOURNAL = "watch.sqlite"

SCHEMA = """
CREATE TABLE IF NOT EXISTS feeds (name TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS studies (
    key TEXT PRIMARY KEY,               -- the feed's key of the study
    state TEXT NOT NULL,                -- waiting, done or failed
    content TEXT NOT NULL DEFAULT '',   -- digest of the ultrasound that was dealt with
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,        -- when to try, in seconds since 1970
    name TEXT NOT NULL DEFAULT '',      -- pseudonym
    code TEXT NOT NULL DEFAULT '',      -- of the last failure
    reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS studies_by_state ON studies (state, due);
"""


@dataclass(frozen=True, kw_only=True)
class WaitingStudy:
    """A study to look at.

    Attributes:
        key: The feed's key.
        content: Digest of its ultrasound when it was dealt with last; empty if it never was.
        attempts: How often it failed since it changed.
    """

    key: str
    content: str
    attempts: int


class Journal:
    """The database. One process uses it at a time.

    Args:
        folder: Folder of the run.

    Raises:
        FilesError: It cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        try:
            self._path.touch(mode=0o600)
            self._database = sqlite3.connect(self._path, timeout=1, isolation_level="IMMEDIATE")
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA synchronous = FULL")
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                for statement in SCHEMA.split(";\n"):
                    self._database.execute(statement)
        except (OSError, sqlite3.Error) as error:
            raise FilesError(
                f"{self._path} cannot be used ({error}); end the other panecho watch of this folder, or name another "
                "folder.",
                paths=[self._path],
            ) from None

    def cursor(self, feed: str) -> str:
        """Return how far a feed was read; empty at first."""
        row = self._database.execute("SELECT cursor FROM feeds WHERE name = ?", (feed,)).fetchone()
        return str(row[0]) if row else ""

    def note_news(self, feed: str, cursor: str, keys: Iterable[str]) -> None:
        """Have studies looked at again, and remember how far the feed was read: both or neither."""
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO feeds VALUES (?, ?)", (feed, cursor))
            self._database.executemany(
                "INSERT INTO studies (key, state) VALUES (?, 'waiting') "
                "ON CONFLICT (key) DO UPDATE SET state = 'waiting', attempts = 0, due = 0",
                [(key,) for key in keys],
            )

    def due(self) -> list[WaitingStudy]:
        """Return the studies to look at now, those that wait longest first."""
        rows = self._database.execute(
            "SELECT key, content, attempts FROM studies WHERE state = 'waiting' AND due <= ? ORDER BY due, rowid",
            (time.time(),),
        )
        return [WaitingStudy(key=key, content=content, attempts=attempts) for key, content, attempts in rows]

    def postpone(self, key: str, seconds: float, *, failed: tuple[str, PanEchoError] | None = None) -> None:
        """Have a study looked at later.

        Args:
            key: The study.
            seconds: How much later.
            failed: Name and error of a study that failed; it counts as an attempt.
        """
        name, code, reason = _texts(failed)
        with self._database:
            self._database.execute(
                "UPDATE studies SET due = ?, attempts = attempts + ?, name = ?, code = ?, reason = ? WHERE key = ?",
                (time.time() + seconds, failed is not None, name, code, reason, key),
            )

    def fail(self, key: str, name: str, error: PanEchoError) -> None:
        """Note that a study failed for good: it is looked at again only once it changes."""
        with self._database:
            self._database.execute(
                "UPDATE studies SET state = 'failed', name = ?, code = ?, reason = ? WHERE key = ?",
                (*_texts((name, error)), key),
            )

    def finish(self, key: str, content: str) -> None:
        """Note that there is nothing more to do about a study of this content."""
        with self._database:
            self._database.execute(
                "UPDATE studies SET state = 'done', content = ?, attempts = 0, name = '', code = '', reason = '' "
                "WHERE key = ?",
                (content, key),
            )

    def forget(self, key: str) -> None:
        """Drop a study that the PACS holds no longer."""
        with self._database:
            self._database.execute("DELETE FROM studies WHERE key = ?", (key,))

    def retry_failed(self) -> None:
        """Have all failed studies looked at again."""
        with self._database:
            self._database.execute("UPDATE studies SET state = 'waiting', attempts = 0, due = 0 WHERE state = 'failed'")

    def count(self, state: str) -> int:
        """Return the number of studies in a state."""
        (count,) = self._database.execute("SELECT COUNT(*) FROM studies WHERE state = ?", (state,)).fetchone()
        return int(count)

    def count_untried(self) -> int:
        """Return the number of studies that wait without having failed: most of them still grow."""
        row = self._database.execute("SELECT COUNT(*) FROM studies WHERE state = 'waiting' AND reason = ''").fetchone()
        return int(row[0])

    def failures(self) -> list[Failure]:
        """Return the studies that failed, or failed and wait for another attempt, sorted by name."""
        rows = self._database.execute("SELECT name, code, reason FROM studies WHERE reason != '' ORDER BY name")
        return [Failure(study=name, files="", code=code, reason=reason) for name, code, reason in rows]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the database."""
        self.close()


def _texts(failed: tuple[str, PanEchoError] | None) -> tuple[str, str, str]:
    if failed is None:
        return "", "", ""
    name, error = failed
    return name, error.code, str(error)
