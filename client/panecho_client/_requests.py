"""The requests of one study, and what comes of them: all the logic that needs no server."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from panecho_client._clip_options import OnError
from panecho_client._contract import Tensors
from panecho_client._description import Task, Weights
from panecho_client._exceptions import RequestError, ServerError, UnknownTaskError

Batching = Literal["auto", "whole-study", "per-video"]

# A study of few and small files takes one request: the server decodes its files side by side as well.
ONE_REQUEST_FILES = 4
ONE_REQUEST_BYTES = 32 * 2**20
ONE_REQUEST_CLIPS = 32  # of 64 frames, the most that a clip may have, they are what a server takes by default

NO_LOGITS = np.empty((0, 0), np.float32)

# How the server says that the only file of a request cannot be used.
_REFUSED = re.compile(
    r"no file of this request could be used: video_sizes\[0\]: (?P<status>[A-Z_0-9]+: .*)$", re.DOTALL
)


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoAnswer:
    """What the server said of one video.

    Attributes:
        status: ``ok``, or why there are no clips.
        logits: FP32 [K, 58], of its clips; [0, 58] where there are none.
        embedding: FP32 [768], mean over its clips; None when not asked for or none.
    """

    status: str
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32] | None


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
    wanted = dict.fromkeys([keys] if isinstance(keys, str) else keys)
    for key in wanted:
        if key not in known:
            raise UnknownTaskError.of(key, known, where="this server")
    return tuple(known[key] for key in wanted)


def in_one_request(batching: Batching, sizes: Sequence[int], num_clips: int) -> bool:
    """Tell whether a study of files of these sizes, so many clips of each, is sent as one request."""
    if batching == "auto":
        few = len(sizes) <= ONE_REQUEST_FILES and len(sizes) * num_clips <= ONE_REQUEST_CLIPS
        return few and sum(sizes) <= ONE_REQUEST_BYTES
    return batching == "whole-study"


def video_answer(outputs: Tensors) -> VideoAnswer:
    """Return what an ensemble request for one video answered."""
    (status,) = outputs["video_status"]
    embedding = outputs["embedding"][0].copy() if "embedding" in outputs else None
    logits = outputs.get("clip_logits", NO_LOGITS)
    return VideoAnswer(status=status.decode(errors="replace"), logits=logits, embedding=embedding)


def refused_status(error: RequestError) -> str | None:
    """Return the status of a file whose request was refused because it cannot be used; None for other refusals."""
    refused = _REFUSED.search(error.message)
    return refused["status"] if refused else None


def skipped_video(status: str) -> VideoAnswer:
    """Return the answer for a file that cannot be used."""
    return VideoAnswer(status=status, logits=NO_LOGITS, embedding=None)


def key_frame(outputs: Tensors) -> NDArray[np.uint8]:
    """Return the first frame of the first clip, UINT8 [224, 224, 3], red first: clips have OpenCV's order."""
    return np.ascontiguousarray(outputs["clips"][0, 0, :, :, ::-1])


def recorded(parameters: Mapping[str, int | str], weights: Weights) -> dict[str, int | str]:
    """Return the parameters of a result: those sent, and the server's choice of what was not."""
    chosen = {"clip_length": weights.manifest.clip_length} if weights.manifest else {}
    return {**chosen, **parameters}


class WeightsChangedError(ServerError):
    """The server changed its weights while a study was predicted."""

    default_code = "ABORTED"


def require_same_weights(first: Weights, last: Weights) -> None:
    """Refuse a study that may have been answered with different weights, or with others than it names.

    Raises:
        WeightsChangedError: The server serves other weights now.
    """
    if first != last:
        raise WeightsChangedError(
            f"the server changed its weights from {first.name} to {last.name} during this study; predict it again."
        )


def require_usable(answers: Sequence[VideoAnswer], files: Sequence[Path], on_error: OnError) -> None:
    """Raise RequestError as the server does for a study in one request, naming the files.

    Raises:
        RequestError: No video can be used, or one cannot and ``on_error`` is ``fail``.
    """
    bad = [index for index, answer in enumerate(answers) if answer.status != "ok"]
    if len(bad) == len(answers) or (bad and on_error == "fail"):
        named = bad if on_error == "skip" else bad[:1]
        statuses = "; ".join(f"video_sizes[{index}]: {answers[index].status}" for index in named)
        start = "no file of this study could be used: " if on_error == "skip" else ""
        raise RequestError(f"{start}{statuses}").naming(files)


def gathered(answers: Sequence[VideoAnswer]) -> dict[str, NDArray[Any]]:
    """Return the inputs of ``postprocessing`` for all clips of a study."""
    used = [(index, answer) for index, answer in enumerate(answers) if answer.status == "ok"]
    logits = np.concatenate([answer.logits for _, answer in used])
    videos = np.repeat([index for index, _ in used], [len(answer.logits) for _, answer in used])
    return {
        "logits": logits,
        "clip_embedding": np.zeros((len(logits), 768), np.float32),  # embeddings come with each video
        "clip_video": videos.astype(np.int32),
        "video_status": np.array([answer.status.encode() for answer in answers], dtype=np.object_),
    }


def with_embeddings(outputs: Mapping[str, NDArray[Any]], answers: Sequence[VideoAnswer]) -> dict[str, NDArray[Any]]:
    """Return a study's outputs with ``embedding`` [N, 768] of its videos, NaN for one that cannot be used."""
    rows = [answer.embedding for answer in answers]
    size = next((len(row) for row in rows if row is not None), 0)
    missing = np.full(size, np.nan, np.float32)
    return {**outputs, "embedding": np.stack([missing if row is None else row for row in rows])}
