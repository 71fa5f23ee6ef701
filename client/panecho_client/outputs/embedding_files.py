"""Embeddings as files."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panecho_client._contract import EMBEDDING_SIZE
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._whole_files import write_whole


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
