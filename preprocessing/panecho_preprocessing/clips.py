"""From the bytes of one file to its clips."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.constants import CROP, RESIZE
from panecho_preprocessing.container import Container, sniff
from panecho_preprocessing.dicom.open_dicom import open_dicom
from panecho_preprocessing.dicom.quiet_pydicom import quiet_pydicom
from panecho_preprocessing.errors import PreprocessingError, VideoError, VideoErrorCode
from panecho_preprocessing.frames import Cine, Frame, FrameReader, WrongFrameCountError
from panecho_preprocessing.framing.framing import Framing, Mask, find_framing
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.options import ClipOptions
from panecho_preprocessing.sampling import clip_frames
from panecho_preprocessing.video import open_video

FileBytes = bytes | memoryview | NDArray[np.uint8]

# So many frames, spread over the whole cine, are looked at to find its sector: what is shown then depends on the file
# alone and not on the clips asked for. Eight in a row would lose a sixth of the sector of a slow heart.
_PROBE = 8


def video_clips(
    data: FileBytes, options: ClipOptions, *, threads: int = 1, limits: Limits | None = None
) -> NDArray[np.uint8]:
    """Make the clips of one DICOM, AVI, MP4 or MPEG file. Only the frames that the clips need are decoded.

    Args:
        data: the whole file; it is not copied.
        options: which clips, and what of each frame is shown.
        threads: how many frames are decoded at a time; the result is the same.
        limits: what the file may cost.

    Returns:
        uint8 [num_clips, clip_length, 224, 224, 3], channels in CHANNEL_ORDER; grey frames have three equal channels.

    Raises:
        VideoError: the file cannot be used; nothing else, whatever the bytes are.
    """
    with quiet_pydicom(), pool(threads) as executor, opened(data, limits or Limits()) as cine:
        return sample_clips(cine, options, executor)


def pool(threads: int) -> "nullcontext[None] | ThreadPoolExecutor":
    """Return what runs `threads` things at a time, as a context; None as its value for one thread, which needs none."""
    return ThreadPoolExecutor(threads) if threads > 1 else nullcontext()


@contextmanager
def opened(data: FileBytes, limits: Limits) -> Iterator[Cine]:
    """Open a file; whatever goes wrong with it until it is closed becomes a VideoError.

    Raises:
        VideoError: the file cannot be used.
    """
    view = data.data if isinstance(data, np.ndarray) else memoryview(data)
    container = sniff(view)
    try:
        cine = open_dicom(view, limits) if container is Container.DICOM else open_video(view, limits)
        with closing(cine.reader):
            _require_cine(cine.reader.count)
            yield cine
    except PreprocessingError:
        raise
    except Exception as error:  # noqa: BLE001  # decoders raise anything on broken bytes; other files must not suffer
        is_dicom = container is Container.DICOM
        code = VideoErrorCode.UNREADABLE_DICOM if is_dicom else VideoErrorCode.UNREADABLE_VIDEO
        # Only the class: the message and the traceback may hold header values.
        raise VideoError(code, f"the file is damaged or not understood ({type(error).__name__})") from None


def sample_clips(cine: Cine, options: ClipOptions, executor: Executor | None) -> NDArray[np.uint8]:
    """Make the clips of an opened file; shapes and errors as `video_clips`."""
    try:
        return _clips(cine, cine.reader.count, options, executor)
    except WrongFrameCountError as wrong:
        _require_cine(wrong.count)
        return _clips(cine, wrong.count, options, executor)


def _require_cine(count: int) -> None:
    if count == 0:
        raise VideoError(VideoErrorCode.UNREADABLE_VIDEO, "not one frame can be read; is the file cut off?")
    if count == 1:
        raise VideoError(VideoErrorCode.NOT_A_CINE, "a still of 1 frame; send a recording of several frames")


def _clips(cine: Cine, count: int, options: ClipOptions, executor: Executor | None) -> NDArray[np.uint8]:
    seconds = None if cine.seconds is None else cine.seconds[:count]
    wanted = clip_frames(count, options, seconds)
    clips = np.empty((*wanted.shape, CROP, CROP, 3), dtype=np.uint8)
    for index, image in _images(cine, count, np.unique(wanted).tolist(), options, executor):
        clips[wanted == index] = image
    return clips


def _images(
    cine: Cine, count: int, wanted: list[int], options: ClipOptions, executor: Executor | None
) -> Iterator[tuple[int, Frame]]:
    """Give each frame wanted as the model is shown it, with its index; none is decoded twice at full size."""
    policy: Mask = "none" if cine.is_cropped else options.mask
    probed = [] if policy == "none" else np.unique(np.linspace(0, count - 1, _PROBE).round().astype(int)).tolist()
    probe = dict(zip(probed, cine.reader.map(_unchanged, probed, executor), strict=True))
    view = find_framing(list(probe.values()), cine.regions, policy)
    reader, factor = cine.reader, 1
    if options.decode_scale == "reduced":
        reader, factor = _reduced(cine.reader, view)
    others = [index for index in wanted if index not in probe]
    return chain(
        ((index, view.apply(frame)) for index, frame in probe.items() if index in wanted),
        zip(others, reader.map(view.reduced(factor).apply, others, executor), strict=True),
    )


def _reduced(reader: FrameReader, view: Framing) -> tuple[FrameReader, int]:
    """Return a faster reader and its factor, if what the view keeps of its frames is then still to be scaled down."""
    for factor in (4, 2):
        smaller = reader.reduced(factor)
        if smaller and view.box and min(view.box.height, view.box.width) >= factor * RESIZE:
            return smaller, factor
    return reader, 1


def _unchanged(frame: Frame) -> Frame:
    return frame
