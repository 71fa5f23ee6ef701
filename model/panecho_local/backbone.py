"""The backbone on one device: clips that wait at the same time are computed together."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Clips = NDArray[np.uint8]
Answer = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, eq=False)
class _Job:
    clips: Clips
    answer: Future[Answer]


class Backbone:
    """Runs a module on batches of clips, in a separate thread, so that files are decoded meanwhile.

    Args:
        module: Takes UINT8 [K, T, 224, 224, 3] and returns tensors of K rows.
        device: Where it runs.
        max_batch_size: Most clips in a batch, except where one request alone holds more.
    """

    def __init__(self, module: nn.Module, device: torch.device, max_batch_size: int) -> None:
        self._module = module.to(device).eval()
        self._device = device
        self._max_batch_size = max_batch_size
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="panecho-backbone", daemon=True)
        self._thread.start()

    def run(self, clips: Clips) -> Answer:
        """Return the module's outputs for the clips, FP32; wait until they are computed."""
        job = _Job(clips, Future())
        self._jobs.put(job)
        return job.answer.result()

    def close(self) -> None:
        """End the thread once everything that waits is computed."""
        self._jobs.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _work(self) -> None:
        held: _Job | None = None
        while (first := held or self._jobs.get()) is not None:
            batch, held, ended = self._gather(first)
            self._answer(batch)
            if ended:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], _Job | None, bool]:
        """Return the jobs that wait and fit into one batch, the next one that does not fit, and whether that is all."""
        batch, size = [first], len(first.clips)
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return batch, None, False
            if job is None:
                return batch, None, True
            size += len(job.clips)
            if size > self._max_batch_size or job.clips.shape[1:] != first.clips.shape[1:]:
                return batch, job, False
            batch.append(job)

    def _answer(self, batch: Sequence[_Job]) -> None:
        try:
            answers = self._compute(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers that wait
            for job in batch:
                job.answer.set_exception(error)
            return
        for job, answer in zip(batch, answers, strict=True):
            job.answer.set_result(answer)

    def _compute(self, batch: Sequence[_Job]) -> list[Answer]:
        rows = [len(job.clips) for job in batch]
        clips = torch.from_numpy(np.concatenate([job.clips for job in batch]) if len(batch) > 1 else batch[0].clips)
        with torch.inference_mode():
            outputs = self._module(clips.to(self._device, non_blocking=True))
        parts = [torch.split(output.float().cpu(), rows) for output in outputs]
        return [tuple(part[index].numpy() for part in parts) for index in range(len(batch))]
