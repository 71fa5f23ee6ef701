"""The client."""

from collections.abc import Iterable
from types import TracebackType
from typing import Literal, Self

from panecho_client._building import build_study, output_names
from panecho_client._exceptions import PanEchoError, RequestError, UnknownTaskError
from panecho_client._files import StrPath, find_files, read_files
from panecho_client._metadata import Description, Task, Weights, parse_description
from panecho_client._results import StudyResult
from panecho_client._transport import GrpcTransport

DEFAULT_URL = "localhost:8001"
DEFAULT_TIMEOUT = 600.0
DEFAULT_CONNECT_TIMEOUT = 10.0

OnError = Literal["skip", "fail"]
Mask = Literal["auto", "region", "none"]
DecodeScale = Literal["full", "reduced"]


class PanEcho:
    """A PanEcho server.

    Connecting happens with the first call. One client can be used from several threads.

    Args:
        url: ``host:port`` of the server's gRPC endpoint.
        timeout: Seconds that one prediction may take, upload and waiting in the server's queue included.
        connect_timeout: Seconds within which the server must answer small questions; asked before each upload.

    Example:
        >>> with PanEcho("localhost:8001") as panecho:
        ...     study = panecho.predict_study(["study/"], tasks=["EF", "AVStenosis"])
        >>> study["EF"].value
        58.3

    Raises:
        RequestError: The address has a scheme, or a timeout is not above 0.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ) -> None:
        self._transport = GrpcTransport(url, timeout=timeout, connect_timeout=connect_timeout)
        self._description: Description | None = None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks in released order, as the server last described them."""
        return (self._description or self._describe()).tasks

    @property
    def weights(self) -> Weights:
        """Whose weights the server runs, as it last described them."""
        return (self._description or self._describe()).weights

    def predict_study(  # noqa: PLR0913 - one argument per request parameter
        self,
        paths: StrPath | Iterable[StrPath],
        *,
        tasks: str | Iterable[str] | None = None,
        num_clips: int = 4,
        clip_length: int = 16,
        frame_stride: int = 1,
        frame_rate: float | None = None,
        mask: Mask = "auto",
        decode_scale: DecodeScale = "full",
        on_error: OnError = "skip",
        embedding: bool = True,
    ) -> StudyResult:
        """Predict the tasks of one study from all its files together.

        Args:
            paths: Files of the study, or folders that hold them; ``find_files`` shows which files those are.
            tasks: Names of the tasks to predict; all of them by default.
            num_clips: Clips taken from each video.
            clip_length: Frames of a clip; the model was trained with 16.
            frame_stride: A clip takes every n-th frame.
            frame_rate: Frames per second to which videos are resampled first; None takes their frames as they are.
            mask: What of a DICOM's frames the model sees: their sector (``auto``), their header's region (``region``)
                or all of them (``none``). AVI and MP4 are taken as they are.
            decode_scale: ``reduced`` decodes large JPEG frames at half or a quarter of their size: faster, not exact.
            on_error: ``skip`` a file that cannot be used and say so in its status, or ``fail``.
            embedding: Whether to return each video's embedding.

        Raises:
            FilesError: A path is missing, unreadable, empty or too large.
            UnknownTaskError: The server has no such task.
            RequestError: Another argument is wrong, no file can be used, or one cannot and ``on_error`` is ``fail``.
            ServerUnavailableError: Nothing answers, or it is not ready.
            DeadlineExceededError: No answer in time.
            ServerError: The server failed or is of another version.
        """
        parameters: dict[str, int | str] = {
            "num_clips": _positive("num_clips", num_clips),
            "clip_length": _positive("clip_length", clip_length),
            "frame_stride": _positive("frame_stride", frame_stride),
            "mask": mask,
            "decode_scale": decode_scale,
            "on_error": on_error,
        }
        if frame_rate is not None:
            parameters["frame_rate"] = str(frame_rate)  # Triton's parameters are whole numbers and texts
        files = find_files(paths).files
        # Asked anew each time: it costs a small fraction of an upload, notices that the server is not ready before the
        # upload, and names the right weights even if the server was restarted with others.
        description = self._describe()
        chosen = _choose(description.tasks, tasks)
        video_bytes, video_sizes = read_files(files)
        try:
            outputs = self._transport.infer(
                {"video_bytes": video_bytes, "video_sizes": video_sizes},
                output_names(chosen, embedding=embedding),
                parameters,
            )
        except PanEchoError as error:
            raise error.naming(files) from None
        return build_study(outputs, chosen, files, weights=description.weights, parameters=parameters)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def _describe(self) -> Description:
        self._description = parse_description(self._transport.get_config())
        return self._description


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise RequestError(f"{name} is {value}; it must be 1 or more.")
    return int(value)


def _choose(tasks: tuple[Task, ...], keys: str | Iterable[str] | None) -> tuple[Task, ...]:
    if keys is None:
        return tasks
    known = {task.key: task for task in tasks}
    wanted = dict.fromkeys([keys] if isinstance(keys, str) else keys)
    for key in wanted:
        if key not in known:
            raise UnknownTaskError.of(key, known, where="this server")
    return tuple(known[key] for key in wanted)
