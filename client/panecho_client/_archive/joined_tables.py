"""Tables of all studies of a run, joined from each study's own, and the table of those that failed."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

from panecho_client._exceptions import FilesError, PanEchoError, RequestError
from panecho_client._files.found_files import shown_path
from panecho_client._files.whole_files import accessing, unfinished, write_whole
from panecho_client._identity.headers import SopInstance, read_headers, with_content
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client.outputs.dictionary import DICTIONARY_COLUMNS, dictionary_rows
from panecho_client.outputs.embedding_files import join_embeddings, read_study_embeddings
from panecho_client.outputs.stored_results import read_stored
from panecho_client.outputs.table_files import Columns, Row, append_csv, csv_text, read_csv, write_parquet
from panecho_client.outputs.tables import LONG_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

STUDY_TABLE = "study.csv"
VIDEOS_TABLE = "videos.csv"

STUDIES = "studies.csv"
PREDICTIONS = "predictions.csv"
PARQUET = "predictions.parquet"
EMBEDDINGS = "embeddings.parquet"
"""Of a study in its folder, and of all studies."""

DICTIONARY = "dictionary.csv"
WITHOUT_CINE = "without_cine.csv"
FAILURES = "failures.csv"
TABLES = (STUDIES, PREDICTIONS, PARQUET, EMBEDDINGS, DICTIONARY, WITHOUT_CINE, FAILURES)

LINE_END = b"\r\n"

FAILURE_COLUMNS: Columns = {"study": str, "files": str, "code": str, "reason": str}

# How zipfile's errors name a member of a ZIP file.
QUOTED = re.compile(r"""(?<!\w)b?(?P<quote>['"]).*?(?P=quote)(?!\w)""")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A study that could not be predicted, or that holds nothing to predict.

    Attributes:
        study: Name of the study.
        files: Names of its files, as far as they are known.
        code: gRPC status.
        reason: What is wrong and what to do.
    """

    study: str
    files: str
    code: str
    reason: str

    @classmethod
    def of(
        cls,
        name: str | None,
        headers: Sequence[SopInstance],
        error: PanEchoError,
        *,
        include_identifiers: bool,
        pseudonym_key: bytes,
    ) -> Self:
        """Return a failure. Unless identifiers are included, it names files by their pseudonyms, also in the reason.

        Args:
            name: The study's name; None takes the name that its files give.
            headers: Headers of its files, as far as they are known.
            error: The reason.
            include_identifiers: See ``StudyIdentity.of``.
            pseudonym_key: See ``StudyIdentity.of``.
        """
        known = {header.path: header for header in headers}
        others = map(with_content, read_headers(path for path in error.paths if path not in known))
        known |= {header.path: header for header in others}
        identity = StudyIdentity.of(
            known.values(), include_identifiers=include_identifiers, pseudonym_key=pseudonym_key
        )
        names = {path: file.name for path, file in zip(known, identity.files, strict=True)}
        reason = str(error) if include_identifiers else _without_paths(error, names)
        return cls(
            study=name or identity.study,
            files="; ".join(names[header.path] for header in headers),
            code=error.code,
            reason=reason.encode(errors="replace").decode(),
        )


def write_tables(folder: Path, studies: Sequence[Path], *, parquet: bool, embeddings: bool = False) -> None:
    """Write the tables of all studies, in the order given, and their dictionary; without a study there are none.

    Args:
        folder: Where to.
        studies: The studies' folders, each of which holds its tables.
        parquet: Whether to write Parquet too.
        embeddings: Whether to join the studies' embeddings too.

    Raises:
        FilesError: A table cannot be written, or one of a study is missing, damaged or of other columns.
    """
    if not studies:
        _remove(folder / table for table in (STUDIES, PREDICTIONS, PARQUET, EMBEDDINGS, DICTIONARY))
        return
    _join(folder / STUDIES, [study / STUDY_TABLE for study in studies])
    videos = [study / VIDEOS_TABLE for study in studies]
    _join(folder / PREDICTIONS, videos)
    if parquet:
        with unfinished(folder / PARQUET) as file:
            write_parquet(file, chain.from_iterable(map(_rows, videos)), LONG_COLUMNS)
    if embeddings:
        join_embeddings(folder / EMBEDDINGS, map(_embeddings, studies))
    predicted, _ = read_stored(studies[0])
    tasks = [prediction.task for prediction in predicted.predictions.values()]
    write_whole(folder / DICTIONARY, csv_text(dictionary_rows(tasks), DICTIONARY_COLUMNS).encode())


def write_failures(table: Path, failures: Iterable[Failure]) -> None:
    """Write the table of the studies that failed, or hold nothing to predict; remove an old one if there are none.

    Raises:
        FilesError: It cannot be written.
    """
    rows = [asdict(failure) for failure in failures]
    if not rows:
        _remove([table])
        return
    with unfinished(table) as file:
        append_csv(file, rows, FAILURE_COLUMNS)


def read_failures(table: Path) -> tuple[Failure, ...]:
    """Read what ``write_failures`` wrote; nothing where there is no table.

    Raises:
        FilesError: It cannot be read.
    """
    with _readable(table):
        rows = read_csv(table, FAILURE_COLUMNS) if table.exists() else []
    return tuple(Failure(**{name: str(value or "") for name, value in row.items()}) for row in rows)


def _without_paths(error: PanEchoError, names: Mapping[Path, str]) -> str:
    """Return the error's text with the files' names instead of their paths, and without the folders around them."""
    texts: dict[str, str] = {}
    for form in (form for path in names for form in (path, path.absolute())):
        texts |= {str(parent): "…" for parent in form.parents if len(parent.parts) > 1}
    for path, name in names.items():
        texts |= dict.fromkeys((str(path), str(path.absolute()), shown_path(path)), name)
    reason = str(error)
    if texts:
        longest_first = "|".join(map(_pattern, sorted(texts, key=len, reverse=True)))
        reason = re.sub(longest_first, lambda found: texts[found[0]], reason)
    return QUOTED.sub("…", reason) if isinstance(error, FilesError) else reason


def _pattern(text: str) -> str:
    """Return the pattern that finds a path: one without a folder, such as ``a``, only where it is a word."""
    return re.escape(text) if os.sep in text else rf"(?<!\w){re.escape(text)}(?!\w)"


def _join(target: Path, parts: Sequence[Path]) -> None:
    """Write the rows of CSV files of the same columns one after another, as they are."""
    header = None
    with unfinished(target) as file, file.open("wb") as joined:
        for part in parts:
            with _readable(part):
                first, end, rows = part.read_bytes().partition(LINE_END)
            if not end or header not in (None, first):
                raise _damaged(part, "holds other columns than the tables of other studies")
            joined.write((b"" if header else first + end) + rows)
            header = first


def _embeddings(study: Path) -> "pa.Table":
    part = study / EMBEDDINGS
    with _readable(part):
        return read_study_embeddings(part)


def _rows(part: Path) -> Sequence[Row]:
    with _readable(part):
        return read_csv(part, LONG_COLUMNS)


@contextmanager
def _readable(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _damaged(part, f"cannot be read: {error.strerror or error}") from None
    except (RequestError, ValueError) as error:
        raise _damaged(part, f"is damaged ({type(error).__name__})") from None


def _damaged(part: Path, reason: str) -> FilesError:
    return FilesError(f"{part} {reason}; delete {part.parent} and give --resume.", code="DATA_LOSS", paths=[part])


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        with accessing(file, "removed", "remove it by hand"):
            file.unlink(missing_ok=True)
