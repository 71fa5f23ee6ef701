"""One study sent to a server: in one request, or as one request per video whose clips the server then aggregates."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from panecho_client._clip_options import ClipOptions, OnError
from panecho_client._contract import (
    CLIP_LOGITS,
    EMBEDDING,
    ENSEMBLE,
    KEY_FRAME,
    KEY_FRAMES,
    POSTPROCESSING,
    VIDEO_DIGEST,
    Parameters,
)
from panecho_client._description import Task
from panecho_client._exceptions import RequestError, ServerError, naming
from panecho_client._requests import (
    Batching,
    WeightsChangedError,
    choose_tasks,
    gathered,
    in_one_request,
    recorded,
    require_same_weights,
    require_usable,
    with_video_rows,
    without_copies,
)
from panecho_client._responses import build_study, output_names
from panecho_client._results import StudyResult
from panecho_client._sender import OnProgress, Sender

WEIGHTS_CHANGES = 2
"""How often a study is sent again because the server changed its weights meanwhile."""


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What to predict of one study; attributes as the arguments of ``AsyncPanEcho.predict_study``."""

    files: Sequence[Path]
    sizes: Sequence[int]
    tasks: str | Sequence[str] | None
    clip_options: ClipOptions
    on_error: OnError
    embedding: bool
    key_frames: bool
    batching: Batching
    on_progress: OnProgress

    async def send(self, sender: Sender) -> StudyResult:
        """Predict the study; errors as ``AsyncPanEcho.predict_study``."""
        for _ in range(WEIGHTS_CHANGES):
            with suppress(WeightsChangedError):
                return await self._send_once(sender)
        return await self._send_once(sender)

    @property
    def _parameters(self) -> Parameters:
        return {**self.clip_options.parameters(self.on_error), **({KEY_FRAMES: True} if self.key_frames else {})}

    async def _send_once(self, sender: Sender) -> StudyResult:
        """Predict the study once; WeightsChangedError if the server changed its weights meanwhile."""
        # Asked again each time: it costs a small fraction of an upload, notices before the upload that the server is
        # not ready, and gives the right weights even if the server was restarted with others.
        description = await sender.describe()
        tasks = choose_tasks(description.tasks, self.tasks)
        send = self._whole if in_one_request(self.batching, self.sizes, self.clip_options.num_clips) else self._by_video
        try:
            outputs = await send(sender, tasks)
        except (RequestError, ServerError):  # such as for a task that is no longer served
            require_same_weights(description.weights, (await sender.describe()).weights)
            raise
        require_same_weights(description.weights, (await sender.describe()).weights)
        return build_study(
            outputs,
            tasks,
            self.files,
            weights=description.weights,
            parameters=recorded(self.clip_options.parameters(self.on_error), description.weights),
        )

    async def _whole(self, sender: Sender, tasks: Sequence[Task]) -> dict[str, NDArray[Any]]:
        names = output_names(tasks, embedding=self.embedding, key_frames=self.key_frames)
        with naming(self.files):
            (outputs,) = await sender.each(
                lambda files: sender.infer_files(
                    ENSEMBLE, files, names, self._parameters, skip=self.on_error == "skip"
                ),
                [self.files],
            )
        self.on_progress(len(self.files), len(self.files))
        return outputs

    async def _by_video(self, sender: Sender, tasks: Sequence[Task]) -> dict[str, NDArray[Any]]:
        of_videos = [name for name, asked in ((EMBEDDING, self.embedding), (KEY_FRAME, self.key_frames)) if asked]
        answers = await sender.each_file(
            ENSEMBLE, self.files, [CLIP_LOGITS, VIDEO_DIGEST, *of_videos], self._parameters, self.on_progress
        )
        require_usable(answers, self.files, self.on_error)
        answers = without_copies(answers)
        outputs = await sender.infer(POSTPROCESSING, gathered(answers), output_names(tasks))
        return with_video_rows(outputs, answers, of_videos)
