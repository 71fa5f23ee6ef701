"""Predictions of files and frames in this process."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from panecho_client import ClipOptions, PanEcho, StudyResult
from panecho_local.frames import ChannelOrder, clips_of_frames
from panecho_local.loading import load_pipeline
from panecho_local.transport import LocalTransport
from panecho_model.constants import Precision
from panecho_preprocessing import ClipOptions as ServerClipOptions


@contextmanager
def open_local(  # noqa: PLR0913 - one argument per choice of a caller
    checkpoint: str | Path | None = None,
    *,
    stand_in: int | None = None,
    tasks: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    precision: Precision | None = None,
    concurrency: int = 4,
) -> Iterator[PanEcho]:
    """Give a client whose server is this process; it has every call of ``panecho_client.PanEcho``.

    Args:
        checkpoint: As ``load_pipeline``, and so are the next four.
        stand_in: See above.
        tasks: See above.
        device: See above.
        precision: See above.
        concurrency: Files that are decoded while others are computed.

    Example:
        >>> with open_local("panecho.pt") as panecho:
        ...     study = panecho.predict_study("study/")

    Raises:
        InputError, ModelError: As ``load_pipeline``.
    """
    pipeline = load_pipeline(checkpoint, stand_in=stand_in, tasks=tasks, device=device, precision=precision)
    try:
        with PanEcho(transport=LocalTransport(pipeline), concurrency=concurrency) as panecho:
            yield panecho
    finally:
        pipeline.close()


def predict_files(  # noqa: PLR0913 - as above
    paths: str | PathLike[str] | Iterable[str | PathLike[str]],
    checkpoint: str | Path | None = None,
    *,
    stand_in: int | None = None,
    tasks: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    precision: Precision | None = None,
    clip_options: ClipOptions | None = None,
) -> StudyResult:
    """Predict one study from its files; for several studies use ``open_local``, which loads the model once.

    Args:
        paths: Files of the study, or folders and ZIP files that hold them.
        checkpoint: As ``load_pipeline``, and so are the next four.
        stand_in: See above.
        tasks: See above.
        device: See above.
        precision: See above.
        clip_options: What the model is shown of each video.

    Raises:
        InputError, ModelError: As ``load_pipeline``.
        PanEchoError: As ``PanEcho.predict_study``.
    """
    with open_local(checkpoint, stand_in=stand_in, tasks=tasks, device=device, precision=precision) as panecho:
        return panecho.predict_study(paths, clip_options=clip_options)


def predict_frames(
    frames: NDArray[np.uint8],
    panecho: PanEcho,
    *,
    options: ServerClipOptions | None = None,
    channel_order: ChannelOrder = "RGB",
) -> StudyResult:
    """Predict from the frames of one video that a caller has decoded, UINT8 [T, H, W] or [T, H, W, 3].

    Args:
        frames: As ``clips_of_frames``, and so are ``options`` and ``channel_order``.
        panecho: A client, of this process (``open_local``) or of a server.
        options: See above.
        channel_order: See above.

    Raises:
        InputError: As ``clips_of_frames``.
        PanEchoError: As ``PanEcho.predict_clips``.
    """
    return panecho.predict_clips(clips_of_frames(frames, options=options, channel_order=channel_order))
