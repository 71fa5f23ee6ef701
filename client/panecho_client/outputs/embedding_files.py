"""Embeddings as files: of some videos, of a study, of all studies of an archive."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panecho_client._contract import EMBEDDING_SIZE
from panecho_client._files.whole_files import unfinished, write_whole
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_A_TIME = 4096  # 12 MB
NAMES = ("study", "patient", "video", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "status")


def write_embeddings(path: Path, names: Sequence[str], embeddings: Sequence[NDArray[np.float32] | str]) -> None:
    """Write embeddings, FP32 [768] each or why there is none, to a ``.npz`` or ``.parquet`` file.

    Both hold ``video`` [N], ``status`` [N] and ``embedding`` FP32 [N, 768]; one that is missing is NaN, or
    null in Parquet.

    Raises:
        FilesError: The file cannot be written.
        RequestError: Parquet without the extra ``reports``.
    """
    statuses = [embedding if isinstance(embedding, str) else "ok" for embedding in embeddings]
    contents = _parquet(names, statuses, embeddings) if path.suffix == ".parquet" else _npz(names, statuses, embeddings)
    write_whole(path, contents)


def write_study_embeddings(path: Path, study: StudyResult, identity: StudyIdentity) -> None:
    """Write the embeddings of a study as Parquet, a row per video.

    Columns: ``study``, ``patient``, ``video``, ``study_instance_uid``, ``series_instance_uid``, ``sop_instance_uid``
    and ``status`` are texts; ``embedding`` is FP32 [768], null for a video that was skipped.

    Args:
        path: The file.
        study: The study, predicted with embeddings.
        identity: Names of the study and its files.

    Raises:
        FilesError: The file cannot be written.
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        import pyarrow as pa  # noqa: PLC0415 - part of an extra
        from pyarrow import parquet  # noqa: PLC0415 - as above
    rows = [
        {
            "study": identity.study,
            "patient": identity.patient,
            "video": file.name,
            "study_instance_uid": file.study_instance_uid,
            "series_instance_uid": file.series_instance_uid,
            "sop_instance_uid": file.sop_instance_uid,
            "status": video.status,
            "embedding": video.embedding,
        }
        for video, file in zip(study.videos, identity.files, strict=True)
    ]
    written = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, _schema()), written)
    write_whole(path, written.getvalue())


def read_study_embeddings(path: Path) -> "pa.Table":
    """Return what ``write_study_embeddings`` wrote.

    Raises:
        ValueError, OSError: The file is damaged or missing.
    """
    from pyarrow import parquet  # noqa: PLC0415 - part of an extra

    return parquet.read_table(path, schema=_schema(), partitioning=None)


def join_embeddings(target: Path, studies: Iterable["pa.Table"]) -> None:
    """Write the rows of studies, in the order given, to one Parquet file; a few thousand are in memory.

    Raises:
        FilesError: It cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415 - part of an extra
    from pyarrow import parquet  # noqa: PLC0415 - as above

    with unfinished(target) as file, parquet.ParquetWriter(file, _schema()) as writer:
        held: list[pa.Table] = []
        for study in studies:
            held.append(study)
            if sum(map(len, held)) >= ROWS_AT_A_TIME:
                writer.write_table(pa.concat_tables(held))
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held))


def _schema() -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415 - part of an extra

    texts = [(name, pa.string()) for name in NAMES]
    # Not of a fixed size: Parquet files of such lists cannot be read where one is null.
    return pa.schema([*texts, ("embedding", pa.list_(pa.float32()))])


def _npz(names: Sequence[str], statuses: Sequence[str], embeddings: Sequence[NDArray[np.float32] | str]) -> bytes:
    missing = np.full(EMBEDDING_SIZE, np.nan, np.float32)
    rows = [missing if isinstance(embedding, str) else embedding for embedding in embeddings]
    file = io.BytesIO()
    np.savez(file, video=np.array(names), status=np.array(statuses), embedding=np.stack(rows))
    return file.getvalue()


def _parquet(names: Sequence[str], statuses: Sequence[str], embeddings: Sequence[NDArray[np.float32] | str]) -> bytes:
    with needs_reports_extra():
        import pyarrow as pa  # noqa: PLC0415 - part of an extra
        from pyarrow import parquet  # noqa: PLC0415 - part of an extra
    rows = [None if isinstance(embedding, str) else embedding for embedding in embeddings]
    columns = [pa.array(names), pa.array(statuses), pa.array(rows, pa.list_(pa.float32()))]
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(columns, ["video", "status", "embedding"]), file)
    return file.getvalue()
