"""The client, for asyncio."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from panecho_client._clip_options import ClipOptions, OnError
from panecho_client._clips import as_uint8_clips, as_uint8_frames, parts_of
from panecho_client._connection import DEFAULT_CONCURRENCY, DEFAULT_URL, Connection
from panecho_client._contract import BACKBONE, ENSEMBLE, IMAGE_ENCODER, POSTPROCESSING, PREPROCESSING, Parameters
from panecho_client._description import Task, Weights
from panecho_client._exceptions import RequestError, ServerError, naming
from panecho_client._file_bytes import file_sizes
from panecho_client._files import StrPath, find_files
from panecho_client._requests import (
    Batching,
    VideoAnswer,
    WeightsChangedError,
    choose_tasks,
    gathered,
    in_one_request,
    key_frame,
    recorded,
    require_same_weights,
    require_usable,
    skipped_video,
    video_answer,
    with_embeddings,
)
from panecho_client._responses import build_study, output_names
from panecho_client._results import StudyResult
from panecho_client._sender import OnProgress, Sender, ignore_progress
from panecho_client._transport.base import Transport

CLIPS_PER_REQUEST = 16
FRAMES_PER_REQUEST = 64
WEIGHTS_CHANGES = 2
"""How often a study is begun again because the server changed its weights under it."""


class AsyncPanEcho:
    """A PanEcho server, for asyncio. ``PanEcho`` is the same without ``await``.

    Args:
        connection: How to reach the server; an address alone is ``Connection(url=…)``.
        concurrency: Requests in progress at a time, of all calls together.
        transport: What answers instead of the server; see ``panecho_local``.

    Example:
        >>> async with AsyncPanEcho("localhost:8001") as panecho:
        ...     study = await panecho.predict_study(["study/"], tasks=["EF", "AVStenosis"])
        >>> study["EF"].value
        58.3

    Raises:
        RequestError: The address or another setting makes no sense.
    """

    def __init__(
        self,
        connection: Connection | str = DEFAULT_URL,
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        transport: Transport | None = None,
    ) -> None:
        if not isinstance(connection, Connection):
            connection = Connection(url=connection)
        self._sender = Sender(connection, concurrency, transport)

    async def tasks(self) -> tuple[Task, ...]:
        """Return the tasks in released order, as the server last described them."""
        return (await self._sender.known()).tasks

    async def weights(self) -> Weights:
        """Return whose weights the server runs, as it last described them."""
        return (await self._sender.known()).weights

    async def predict_study(  # noqa: PLR0913 - one argument per choice of a caller
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        tasks: str | Iterable[str] | None = None,
        clip_options: ClipOptions | None = None,
        on_error: OnError = "skip",
        embedding: bool = True,
        batching: Batching = "auto",
        on_progress: OnProgress = ignore_progress,
    ) -> StudyResult:
        """Predict the tasks of one study from all its files together.

        A large study is sent as one request per video, a few at a time; the server aggregates the clips of all. Each is
        sent again by itself while the server is not there. Cancelling the task cancels what is under way.

        Args:
            paths: Files of the study, or folders and archives that hold them; ``find_files`` shows which those are.
            tasks: Names of the tasks to predict; all of them by default.
            clip_options: What the model is shown of each video.
            on_error: ``skip`` a file that cannot be used and say so in its status, or ``fail``.
            embedding: Whether to return each video's embedding.
            batching: ``whole-study`` or ``per-video`` requests, or what suits the size. The numbers are the same.
            on_progress: Called with the number of files done, and of all.

        Raises:
            FilesError: A path is missing, unreadable, empty or too large.
            UnknownTaskError: The server has no such task.
            RequestError: Another argument is wrong, no file can be used, or one cannot and ``on_error`` is ``fail``.
            ServerUnavailableError: Nothing answers, or it is not ready.
            DeadlineExceededError: No answer in time.
            ServerError: The server failed, is of another version, or keeps changing its weights.
        """
        files = (await asyncio.to_thread(find_files, paths)).files
        predict = partial(
            self._predict,
            files,
            tasks=tasks,
            clip_options=clip_options or ClipOptions(),
            on_error=on_error,
            embedding=embedding,
            batching=batching,
            on_progress=on_progress,
        )
        for _ in range(WEIGHTS_CHANGES):
            with suppress(WeightsChangedError):
                return await predict()
        return await predict()

    async def embed(
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        clip_options: ClipOptions | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> dict[Path, NDArray[np.float32] | str]:
        """Return the embedding of each video, FP32 [768], the mean over its clips; or the status of one without.

        Raises:
            PanEchoError: As ``predict_study``; files that cannot be used raise nothing.
        """
        files = (await asyncio.to_thread(find_files, paths)).files
        parameters = (clip_options or ClipOptions()).parameters("skip")
        answers = await self._answers(files, ("embedding", "video_status"), parameters, on_progress)
        return {
            file: answer.status if answer.embedding is None else answer.embedding
            for file, answer in zip(files, answers, strict=True)
        }

    async def predict_clips(
        self, clips: NDArray[np.generic], *, tasks: str | Iterable[str] | None = None
    ) -> StudyResult:
        """Predict from the clips of one video that a caller has made.

        Args:
            clips: UINT8 [K, T, 224, 224, 3], or floating point [K, 3, T, 224, 224] as the published model takes it.
            tasks: Names of the tasks to predict; all of them by default.

        Returns:
            A study of one video, whose path is ``clips``.

        Raises:
            RequestError: The array is of another type, shape or range, or empty; otherwise as ``predict_study``.
        """
        levels = as_uint8_clips(clips)
        description = await self._sender.describe()
        chosen = choose_tasks(description.tasks, tasks)
        names = ("logits", "clip_embedding")
        answers = await self._sender.each(
            lambda part: self._sender.infer(BACKBONE, {"clips": part}, names), parts_of(levels, CLIPS_PER_REQUEST)
        )
        inputs: dict[str, NDArray[Any]] = {name: np.concatenate([answer[name] for answer in answers]) for name in names}
        inputs["clip_video"] = np.zeros(len(levels), np.int32)
        inputs["video_status"] = np.array([b"ok"], dtype=np.object_)
        outputs = await self._sender.infer(POSTPROCESSING, inputs, output_names(chosen, embedding=True))
        parameters = {"num_clips": len(levels), "clip_length": levels.shape[1]}
        return build_study(outputs, chosen, [Path("clips")], weights=description.weights, parameters=parameters)

    async def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the image encoder makes of single frames. The server loads it with the first call.

        Args:
            frames: UINT8 [N, 224, 224, 3], channels in OpenCV's order, blue first.

        Returns:
            FP32 [N, 768].

        Raises:
            RequestError: The array is of another type or shape, or empty.
            ServerError: The server does not load the model, and says why.
            PanEchoError: Otherwise as ``predict_study``.
        """
        checked = as_uint8_frames(frames)
        await self._sender.require(IMAGE_ENCODER)
        answers = await self._sender.each(
            lambda part: self._sender.infer(IMAGE_ENCODER, {"frames": part}, ["frame_embedding"]),
            parts_of(checked, FRAMES_PER_REQUEST),
        )
        return np.concatenate([answer["frame_embedding"] for answer in answers])

    async def key_frames(
        self, paths: StrPath | Iterable[StrPath], *, clip_options: ClipOptions | None = None
    ) -> dict[Path, NDArray[np.uint8]]:
        """Return the middle frame of each video as the model is shown it: masked, UINT8 [224, 224, 3], red first.

        A file that cannot be used has none. Errors as of ``embed``.
        """
        files = (await asyncio.to_thread(find_files, paths)).files
        parameters = (clip_options or ClipOptions()).parameters("skip") | {"num_clips": 1, "clip_length": 1}
        answers = await self._sender.each_file(PREPROCESSING, files, ["clips"], parameters, make=key_frame)
        return {file: answer for file, answer in zip(files, answers, strict=True) if not isinstance(answer, str)}

    async def close(self) -> None:
        """Close the connection."""
        await self._sender.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def _predict(  # noqa: PLR0913 - as predict_study
        self,
        files: Sequence[Path],
        *,
        tasks: str | Iterable[str] | None,
        clip_options: ClipOptions,
        on_error: OnError,
        embedding: bool,
        batching: Batching,
        on_progress: OnProgress,
    ) -> StudyResult:
        """Predict a study once; WeightsChangedError where the server changed its weights meanwhile."""
        # Asked anew each time: it costs a small fraction of an upload, notices that the server is not ready before the
        # upload, and names the right weights even if the server was restarted with others.
        description = await self._sender.describe()
        chosen = choose_tasks(description.tasks, tasks)
        parameters = clip_options.parameters(on_error)
        together = in_one_request(batching, await asyncio.to_thread(file_sizes, files), clip_options.num_clips)
        send = self._together if together else self._each_by_itself
        try:
            outputs = await send(files, chosen, parameters, embedding=embedding, on_progress=on_progress)
        except (RequestError, ServerError):  # such as for a task that is served no more
            require_same_weights(description.weights, (await self._sender.describe()).weights)
            raise
        require_same_weights(description.weights, (await self._sender.describe()).weights)
        parameters = recorded(parameters, description.weights)
        return build_study(outputs, chosen, files, weights=description.weights, parameters=parameters)

    async def _together(
        self,
        files: Sequence[Path],
        tasks: Sequence[Task],
        parameters: Parameters,
        *,
        embedding: bool,
        on_progress: OnProgress,
    ) -> dict[str, NDArray[Any]]:
        names = output_names(tasks, embedding=embedding)
        with naming(files):
            (outputs,) = await self._sender.each(
                lambda together: self._sender.infer_files(ENSEMBLE, together, names, parameters), [files]
            )
        on_progress(len(files), len(files))
        return outputs

    async def _each_by_itself(
        self,
        files: Sequence[Path],
        tasks: Sequence[Task],
        parameters: Parameters,
        *,
        embedding: bool,
        on_progress: OnProgress,
    ) -> dict[str, NDArray[Any]]:
        of_each = ("clip_logits", "video_status", *(["embedding"] if embedding else []))
        answers = await self._answers(files, of_each, parameters, on_progress)
        require_usable(answers, files, cast("OnError", parameters["on_error"]))
        outputs = await self._sender.infer(POSTPROCESSING, gathered(answers), output_names(tasks, embedding=False))
        return with_embeddings(outputs, answers) if embedding else outputs

    async def _answers(
        self, files: Sequence[Path], outputs: Sequence[str], parameters: Parameters, on_progress: OnProgress
    ) -> list[VideoAnswer]:
        answers = await self._sender.each_file(
            ENSEMBLE, files, outputs, parameters, make=video_answer, on_progress=on_progress
        )
        return [skipped_video(answer) if isinstance(answer, str) else answer for answer in answers]
