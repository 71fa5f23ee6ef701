"""The client, for asyncio."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panecho_client._clip_options import ClipOptions, OnError
from panecho_client._clips import as_uint8_clips, as_uint8_frames, parts_of
from panecho_client._connection import DEFAULT_CONCURRENCY, DEFAULT_URL, Connection
from panecho_client._contract import (
    BACKBONE,
    CLIP_EMBEDDING,
    CLIP_LENGTH,
    CLIP_VIDEO,
    CLIPS,
    CLIPS_PER_REQUEST,
    EMBEDDING,
    ENSEMBLE,
    FRAME_EMBEDDING,
    FRAMES,
    FRAMES_PER_REQUEST,
    IMAGE_ENCODER,
    KEY_FRAME,
    KEY_FRAMES,
    LOGITS,
    NUM_CLIPS,
    OK,
    POSTPROCESSING,
    PREPROCESSING,
    VIDEO_STATUS,
)
from panecho_client._description import Task, Weights
from panecho_client._files.file_bytes import file_sizes
from panecho_client._files.found_files import StrPath, find_files
from panecho_client._requests import Batching, choose_tasks
from panecho_client._responses import build_study, output_names
from panecho_client._results import StudyResult
from panecho_client._sender import OnProgress, Sender, ignore_progress
from panecho_client._study_request import StudyRequest
from panecho_client._transport.base import Transport


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
        key_frames: bool = False,
        batching: Batching = "auto",
        on_progress: OnProgress = ignore_progress,
    ) -> StudyResult:
        """Predict the tasks of one study from all its files together.

        A large study is sent as one request per video, a few at a time; the server aggregates the clips of all. Each
        request is repeated while the server is not there. Cancelling the task cancels the requests in progress.

        Args:
            paths: Files of the study, or folders and ZIP files that hold them; see ``find_files``.
            tasks: Names of the tasks to predict; all of them by default.
            clip_options: The clips taken from each video.
            on_error: ``skip`` a file that cannot be used and say so in its status, or ``fail``.
            embedding: Whether to return each video's embedding.
            key_frames: Whether to return a frame of each video, to show to people.
            batching: ``whole-study`` or ``per-video`` requests; ``auto`` decides by size. The numbers are the same.
            on_progress: Called with the number of files done, and of all files.

        Raises:
            FilesError: A path is missing or too large, or a file cannot be read and ``on_error`` is ``fail``.
            NoUsableVideoError: No file can be used; ``without_cine`` says whether that is because none is a cine.
            UnknownTaskError: The server has no such task.
            RequestError: Another argument is wrong, or a file cannot be used and ``on_error`` is ``fail``.
            ServerUnavailableError: Nothing answers, or the server is not ready.
            DeadlineExceededError: No answer in time.
            ServerError: The server failed, has another version, or keeps changing its weights.
        """
        files = (await asyncio.to_thread(find_files, paths)).files
        request = StudyRequest(
            files=files,
            sizes=await asyncio.to_thread(file_sizes, files, {} if on_error == "skip" else None),
            tasks=tasks if tasks is None or isinstance(tasks, str) else tuple(tasks),
            clip_options=clip_options or ClipOptions(),
            on_error=on_error,
            embedding=embedding,
            key_frames=key_frames,
            batching=batching,
            on_progress=on_progress,
        )
        return await request.send(self._sender)

    async def embed(
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        clip_options: ClipOptions | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> dict[Path, NDArray[np.float32] | str]:
        """Return the embedding of each video, FP32 [768], the mean over its clips; the status of a file without one.

        Raises:
            PanEchoError: As ``predict_study``; files that cannot be used raise nothing.
        """
        files = (await asyncio.to_thread(find_files, paths)).files
        parameters = (clip_options or ClipOptions()).parameters("skip")
        answers = await self._sender.each_file(ENSEMBLE, files, [EMBEDDING], parameters, on_progress)
        return {file: answer.rows.get(EMBEDDING, answer.status) for file, answer in zip(files, answers, strict=True)}

    async def predict_clips(self, clips: ArrayLike, *, tasks: str | Iterable[str] | None = None) -> StudyResult:
        """Predict from clips of one video that the caller has made.

        Args:
            clips: Array, tensor of PyTorch or list: UINT8 [K, T, 224, 224, 3], or floating point (FP32, FP16, bfloat16)
                [K, 3, T, 224, 224] as the published model takes it.
            tasks: Names of the tasks to predict; all of them by default.

        Returns:
            A study of one video, whose path is ``clips``.

        Raises:
            RequestError: The array has another type, shape or range, or is empty; otherwise as ``predict_study``.
        """
        levels = as_uint8_clips(clips)
        description = await self._sender.describe()
        chosen = choose_tasks(description.tasks, tasks)
        names = (LOGITS, CLIP_EMBEDDING)
        answers = await self._sender.each(
            lambda part: self._sender.infer(BACKBONE, {CLIPS: part}, names), parts_of(levels, CLIPS_PER_REQUEST)
        )
        inputs: dict[str, NDArray[Any]] = {name: np.concatenate([answer[name] for answer in answers]) for name in names}
        inputs[CLIP_VIDEO] = np.zeros(len(levels), np.int32)
        inputs[VIDEO_STATUS] = np.array([OK.encode()], dtype=np.object_)
        outputs = await self._sender.infer(POSTPROCESSING, inputs, output_names(chosen, embedding=True))
        parameters = {NUM_CLIPS: len(levels), CLIP_LENGTH: levels.shape[1]}
        return build_study(outputs, chosen, [Path("clips")], weights=description.weights, parameters=parameters)

    async def embed_frames(self, frames: ArrayLike) -> NDArray[np.float32]:
        """Return the image encoder's features of single frames. The server loads the model with the first call.

        Args:
            frames: Array, tensor of PyTorch or list, UINT8 [N, 224, 224, 3], channels in OpenCV's order, blue first.

        Returns:
            FP32 [N, 768].

        Raises:
            RequestError: The array has another type or shape, or is empty.
            ServerError: The server does not load the model; the text says why.
            PanEchoError: Otherwise as ``predict_study``.
        """
        checked = as_uint8_frames(frames)
        await self._sender.require(IMAGE_ENCODER)
        answers = await self._sender.each(
            lambda part: self._sender.infer(IMAGE_ENCODER, {FRAMES: part}, [FRAME_EMBEDDING]),
            parts_of(checked, FRAMES_PER_REQUEST),
        )
        return np.concatenate([answer[FRAME_EMBEDDING] for answer in answers])

    async def key_frames(
        self, paths: StrPath | Iterable[StrPath], *, clip_options: ClipOptions | None = None
    ) -> dict[Path, NDArray[np.uint8]]:
        """Return the middle frame of each video as the model sees it, UINT8 [224, 224, 3], red first, and nothing else.

        Files that cannot be used are left out. ``predict_study`` returns key frames with its predictions.

        Raises:
            PanEchoError: As ``embed``.
        """
        files = (await asyncio.to_thread(find_files, paths)).files
        only = {NUM_CLIPS: 1, CLIP_LENGTH: 1, KEY_FRAMES: True}
        parameters = (clip_options or ClipOptions()).parameters("skip") | only
        answers = await self._sender.each_file(PREPROCESSING, files, [KEY_FRAME], parameters)
        return {file: answer.rows[KEY_FRAME] for file, answer in zip(files, answers, strict=True) if answer.rows}

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
