"""Logits of clips to predictions of videos and of the study.

The published evaluation: the logits of a video's clips are averaged and then activated, and the study's prediction is
the mean of its videos' predictions. Plain numpy; knows nothing of Triton.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]

MODEL_FAILED = "MODEL_FAILED: the model's numbers for this video are not finite; the exported model may be damaged"


class InvalidClipsError(ValueError):
    """The inputs do not belong together, or hold no usable video; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where one task stands in ``logits`` and how it is activated.

    Attributes:
        key: The task's name on the wire.
        kind: ``regression``, ``binary`` or ``multiclass``.
        columns: Its columns in ``logits``.
        inverted: Whether a binary task reports 1 - sigmoid.
    """

    key: str
    kind: str
    columns: slice
    inverted: bool

    def activate(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the task reports for mean logits [N, C]: unit values or probabilities, [N, C]."""
        if self.kind == "regression":
            return logits
        if self.kind == "multiclass":
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
            return probabilities
        sigmoid: NDArray[np.float64] = 0.5 * (1 + np.tanh((-logits if self.inverted else logits) / 2))
        return sigmoid


class InvalidTasksError(ValueError):
    """``tasks.json`` is not of this model; the text names it."""


def read_heads(tasks_json: Path, width: int | None = None) -> tuple[Head, ...]:
    """Return the heads in the order in which ``logits`` concatenates them.

    Args:
        tasks_json: As ``panecho export`` writes it.
        width: Numbers per clip in ``logits``, where it is known.

    Raises:
        InvalidTasksError: It is something else, or of another width.
    """
    try:
        heads = heads_of(json.loads(tasks_json.read_text()))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidTasksError(
            f"{tasks_json} is not what `panecho export` writes ({error!r}); export again."
        ) from error
    numbers = heads[-1].columns.stop if heads else 0
    if width is not None and numbers != width:
        raise InvalidTasksError(f"{tasks_json} is of {numbers} numbers, logits of {width}; export again.")
    return heads


def heads_of(tasks: Iterable[Mapping[str, Any]]) -> tuple[Head, ...]:
    """Return the heads of tasks that are described as in ``tasks.json``, in the order of ``logits``."""
    heads: list[Head] = []
    start = 0
    for task in tasks:
        stop = start + (len(task["classes"]) if task["kind"] == "multiclass" else 1)
        columns, inverted = slice(start, stop), bool(task["inverted"])
        heads.append(Head(key=task["key"], kind=task["kind"], columns=columns, inverted=inverted))
        start = stop
    return tuple(heads)


@dataclass(frozen=True, kw_only=True)
class ClipOutputs:
    """The clips of a study, K of them, of N videos.

    Attributes:
        logits: FP32 [K, 58], before activation.
        clip_embedding: FP32 [K, 768].
        clip_video: INT32 [K], the video of each clip.
        video_status: One per video of the study, in order; N of them.
    """

    logits: FloatArray
    clip_embedding: FloatArray
    clip_video: NDArray[np.int32]
    video_status: Sequence[str]

    def check(self) -> None:
        """Raise InvalidClipsError, naming the tensor, when the parts do not belong together."""
        rows = len(self.logits), len(self.clip_embedding), len(self.clip_video)
        if len(set(rows)) > 1:
            raise InvalidClipsError(
                "logits has {} clips, clip_embedding {} and clip_video {}; send one row of each per clip.".format(*rows)
            )
        if rows[0] == 0:
            raise InvalidClipsError(self._no_usable_video())
        if self.clip_video.min() < 0 or self.clip_video.max() >= len(self.video_status):
            raise InvalidClipsError(
                f"clip_video holds {self.clip_video.min()} to {self.clip_video.max()}, "
                f"but video_status names {len(self.video_status)} videos; indices start at 0."
            )

    def finite(self) -> Self:
        """Return the clips without those of videos for which the model gave a NaN or an infinity, whose status says so.

        Raises:
            InvalidClipsError: Nothing is left, or the parts do not belong together.
        """
        self.check()
        failed = ~(np.isfinite(self.logits).all(axis=1) & np.isfinite(self.clip_embedding).all(axis=1))
        videos = set(self.clip_video[failed].tolist())
        if not videos:
            return self
        left = ~np.isin(self.clip_video, list(videos))
        kept = replace(
            self,
            logits=self.logits[left],
            clip_embedding=self.clip_embedding[left],
            clip_video=self.clip_video[left],
            video_status=[MODEL_FAILED if n in videos else status for n, status in enumerate(self.video_status)],
        )
        kept.check()
        return kept

    def _no_usable_video(self) -> str:
        """Return what preprocessing says as well."""
        lines = "; ".join(f"video_sizes[{index}]: {status}" for index, status in enumerate(self.video_status))
        return f"no file of this request could be used: {lines or 'none was sent'}"

    def video_means(self, rows: FloatArray) -> NDArray[np.float64]:
        """Return the mean over each video's clips of ``rows`` [K, C] as [N, C]; NaN for a video without clips."""
        sums = np.zeros((len(self.video_status), rows.shape[1]))
        np.add.at(sums, self.clip_video, rows)
        counts = np.bincount(self.clip_video, minlength=len(sums))[:, None]
        return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def read_clips(tensors: Mapping[str, NDArray[Any]]) -> ClipOutputs:
    """Return the clips that a request's tensors make; a model without heads sends no logits.

    Raises:
        InvalidClipsError: A status is no UTF-8 text.
    """
    try:
        statuses = [status.decode() for status in tensors["video_status"]]
    except UnicodeDecodeError as error:
        raise InvalidClipsError(f"video_status holds bytes that are no UTF-8 text: {error.reason}.") from error
    logits = tensors.get("logits", np.empty((len(tensors["clip_embedding"]), 0), np.float32))
    return ClipOutputs(
        logits=logits,
        clip_embedding=tensors["clip_embedding"],
        clip_video=tensors["clip_video"],
        video_status=statuses,
    )


def unusable_rows(parameters: Mapping[str, object]) -> float:
    """Return what the rows of a video that could not be used hold, by the request parameter of that name.

    Raises:
        InvalidClipsError: It is neither ``nan`` nor ``zero``.
    """
    chosen = parameters.get("unusable_rows", "nan")
    if chosen not in ("nan", "zero"):
        raise InvalidClipsError(f'unusable_rows={chosen!r}: must be "nan" or "zero"')
    return 0.0 if chosen == "zero" else np.nan


def predict(
    heads: Sequence[Head], clips: ClipOutputs, outputs: Collection[str], *, unusable: float = np.nan
) -> dict[str, FloatArray]:
    """Return the requested outputs of a study.

    Args:
        heads: As ``read_heads`` gives them.
        clips: The study's clips, all ``finite``.
        outputs: Requested names: ``<task>`` [C], ``video/<task>`` [N, C] and ``embedding`` [N, 768].
        unusable: What rows of videos without clips hold; JSON has no NaN.

    Returns:
        FP32 arrays by name. Rows of videos without clips do not count in the study's mean.

    Raises:
        InvalidClipsError: The clips' parts do not belong together, or no video has a clip.
    """
    clips.check()
    results: dict[str, FloatArray] = {}
    means = clips.video_means(clips.logits)
    for head in heads:
        if head.key in outputs or f"video/{head.key}" in outputs:
            videos = head.activate(means[:, head.columns])
            results[head.key] = np.nanmean(videos, axis=0).astype(np.float32)
            results[f"video/{head.key}"] = videos.astype(np.float32)
    if "embedding" in outputs:
        results["embedding"] = clips.video_means(clips.clip_embedding).astype(np.float32)
    filler = np.float32(unusable)
    return {name: np.where(np.isnan(result), filler, result) for name, result in results.items() if name in outputs}
