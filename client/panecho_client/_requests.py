"""Decides how a study is sent and joins the answers: all the logic that needs no server."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from panecho_client._clip_options import OnError
from panecho_client._contract import (
    CLIP_EMBEDDING,
    CLIP_LENGTH,
    CLIP_LOGITS,
    CLIP_VIDEO,
    EMBEDDING,
    EMBEDDING_SIZE,
    FRAME_SIZE,
    KEY_FRAME,
    LOGITS,
    VIDEO_DIGEST,
    VIDEO_STATUS,
    Tensors,
    is_ok,
)
from panecho_client._description import Task, Weights
from panecho_client._exceptions import NOTHING_USABLE, NoUsableVideoError, RequestError, ServerError, UnknownTaskError

Batching = Literal["auto", "whole-study", "per-video"]

# A study of few and small files takes one request: the server also decodes several files of a request at a time.
ONE_REQUEST_FILES = 4
ONE_REQUEST_BYTES = 32 * 2**20
ONE_REQUEST_CLIPS = 32  # of 64 frames, the longest clip, a server takes this many by default

EMPTY_FILE = "EMPTY_FILE: the file has 0 bytes"
"""The server's status for a file without a byte."""

COPY = "DUPLICATE: the same video as video_sizes[{}]; it counts once"

NO_LOGITS = np.empty((0, 0), np.float32)

# Rows of ``with_video_rows`` for a video that has none.
NO_EMBEDDING = np.full(EMBEDDING_SIZE, np.nan, np.float32)
NO_KEY_FRAME = np.zeros((FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
NO_ROWS: Tensors = {EMBEDDING: NO_EMBEDDING, KEY_FRAME: NO_KEY_FRAME}

# What the server answers if the only file of a request cannot be used.
_REFUSED = re.compile(
    r"no file of this request could be used: video_sizes\[0\]: (?P<status>[A-Z_0-9]+: .*)$", re.DOTALL
)


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoAnswer:
    """The server's answer for one video.

    Attributes:
        status: ``ok``, or why there are no clips.
        logits: FP32 [K, 58], of its clips; [0, 0] where there are none, or they were not requested.
        digest: Equal for requests that hold the same video; empty if not requested.
        rows: Outputs that hold a row per video, as far as requested: ``embedding`` FP32 [768], the mean over its clips,
            and ``key_frame`` UINT8 [224, 224, 3].
    """

    status: str
    logits: NDArray[np.float32]
    rows: Tensors
    digest: str = ""


def choose_tasks(tasks: tuple[Task, ...], keys: str | Iterable[str] | None) -> tuple[Task, ...]:
    """Return the tasks of the given names; all without names.

    Raises:
        RequestError: The server has no task at all.
        UnknownTaskError: The server has no such task.
    """
    if not tasks:
        raise RequestError("this server's model was exported without tasks: it gives embeddings alone; use `embed`.")
    if keys is None:
        return tasks
    known = {task.key: task for task in tasks}
    requested = dict.fromkeys([keys] if isinstance(keys, str) else keys)
    for key in requested:
        if key not in known:
            raise UnknownTaskError.of(key, known, where="this server")
    return tuple(known[key] for key in requested)


def in_one_request(batching: Batching, sizes: Sequence[int], num_clips: int) -> bool:
    """Tell whether a study of files of these sizes, with ``num_clips`` each, is sent as one request."""
    if batching == "auto":
        few = len(sizes) <= ONE_REQUEST_FILES and len(sizes) * num_clips <= ONE_REQUEST_CLIPS
        return few and sum(sizes) <= ONE_REQUEST_BYTES
    return batching == "whole-study"


def video_answer(outputs: Tensors) -> VideoAnswer:
    """Return the answer to a request for one video."""
    (status,) = outputs[VIDEO_STATUS]
    rows = {name: outputs[name][0].copy() for name in NO_ROWS if name in outputs}
    return VideoAnswer(
        status=status.decode(errors="replace"),
        logits=outputs.get(CLIP_LOGITS, NO_LOGITS),
        rows=rows,
        digest=outputs[VIDEO_DIGEST][0].decode(errors="replace") if VIDEO_DIGEST in outputs else "",
    )


def refused_status(error: RequestError) -> str | None:
    """Return the status of a file whose request was refused because it cannot be used; None for other refusals."""
    refused = _REFUSED.search(error.message)
    return refused["status"] if refused else None


def nothing_usable(statuses: Iterable[str]) -> NoUsableVideoError:
    """Return the error for files of which none can be used, as the server says it."""
    return NoUsableVideoError(f"{NOTHING_USABLE}{_listed(statuses)}")


@contextmanager
def stating(statuses: Mapping[int, str]) -> Iterator[None]:
    """Give files that were sent as empty because they cannot be read their statuses in an error of the server."""
    try:
        yield
    except RequestError as error:
        text = error.message
        for index, status in statuses.items():
            text = text.replace(f"video_sizes[{index}]: {EMPTY_FILE}", f"video_sizes[{index}]: {status}")
        raise type(error)(text, code=error.code, paths=error.paths) from None


def with_statuses(outputs: Mapping[str, NDArray[Any]], statuses: Mapping[int, str]) -> dict[str, NDArray[Any]]:
    """Return outputs in which files that were sent as empty because they cannot be read have their statuses."""
    if not statuses or VIDEO_STATUS not in outputs:
        return dict(outputs)
    found = outputs[VIDEO_STATUS].copy()
    for index, status in statuses.items():
        found[index] = status.encode()
    return {**outputs, VIDEO_STATUS: found}


def skipped_video(status: str) -> VideoAnswer:
    """Return the answer for a file that cannot be used."""
    return VideoAnswer(status=status, logits=NO_LOGITS, rows={})


def recorded(parameters: Mapping[str, int | str], weights: Weights) -> dict[str, int | str]:
    """Return the parameters of a result: those sent, and the server's defaults for the others."""
    chosen = {CLIP_LENGTH: weights.manifest.clip_length} if weights.manifest else {}
    return {**chosen, **parameters}


class WeightsChangedError(ServerError):
    """The server changed its weights while a study was predicted."""

    default_code = "ABORTED"


def require_same_weights(first: Weights, last: Weights) -> None:
    """Refuse a study if its requests may have met different weights.

    Raises:
        WeightsChangedError: The server serves other weights now.
    """
    if first != last:
        raise WeightsChangedError(
            f"the server changed its weights from {first.name} to {last.name} during this study; predict it again."
        )


def require_usable(answers: Sequence[VideoAnswer], files: Sequence[Path], on_error: OnError) -> None:
    """Refuse a study of which files cannot be used, as the server does for a study in one request.

    Raises:
        NoUsableVideoError: No video can be used.
        RequestError: One cannot, and ``on_error`` is ``fail``.
    """
    bad = [index for index, answer in enumerate(answers) if not is_ok(answer.status)]
    if bad and on_error == "fail":
        raise RequestError(_listed([answers[bad[0]].status], first=bad[0])).naming(files)
    if len(bad) == len(answers):
        statuses = _listed(answer.status for answer in answers)
        raise NoUsableVideoError(f"no file of this study could be used: {statuses}").naming(files)


def _listed(statuses: Iterable[str], first: int = 0) -> str:
    return "; ".join(f"video_sizes[{index}]: {status}" for index, status in enumerate(statuses, first))


def without_copies(answers: Sequence[VideoAnswer]) -> list[VideoAnswer]:
    """Return the answers with each video counted once, as the server counts it for a study in one request.

    Copies have the same digest; their status names the first of them.
    """
    firsts: dict[str, int] = {}
    kept = []
    for index, answer in enumerate(answers):
        first = firsts.setdefault(answer.digest, index) if is_ok(answer.status) and answer.digest else index
        kept.append(answer if first == index else skipped_video(COPY.format(first)))
    return kept


def gathered(answers: Sequence[VideoAnswer]) -> dict[str, NDArray[Any]]:
    """Return the inputs of ``postprocessing`` for all clips of a study."""
    used = [(index, answer) for index, answer in enumerate(answers) if is_ok(answer.status)]
    logits = np.concatenate([answer.logits for _, answer in used])
    videos = np.repeat([index for index, _ in used], [len(answer.logits) for _, answer in used])
    return {
        LOGITS: logits,
        CLIP_EMBEDDING: np.zeros((len(logits), EMBEDDING_SIZE), np.float32),  # embeddings come with each video
        CLIP_VIDEO: videos.astype(np.int32),
        VIDEO_STATUS: np.array([answer.status.encode() for answer in answers], dtype=np.object_),
    }


def with_video_rows(outputs: Tensors, answers: Sequence[VideoAnswer], names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return a study's outputs with those that hold a row per video.

    Args:
        outputs: The study's outputs.
        answers: One per video.
        names: ``embedding``, NaN for a video that cannot be used, or ``key_frame``, zeros for such a video.
    """
    return {
        **outputs,
        **{name: np.stack([answer.rows.get(name, NO_ROWS[name]) for answer in answers]) for name in names},
    }
