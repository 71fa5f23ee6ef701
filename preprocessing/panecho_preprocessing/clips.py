"""From the bytes of one file to its clips."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.constants import CROP
from panecho_preprocessing.container import Container, sniff
from panecho_preprocessing.dicom import open_dicom
from panecho_preprocessing.errors import PreprocessingError, VideoError, VideoErrorCode
from panecho_preprocessing.frames import FrameSource, WrongFrameCountError
from panecho_preprocessing.options import Options
from panecho_preprocessing.quiet import quiet_pydicom
from panecho_preprocessing.resize import resize_and_crop
from panecho_preprocessing.sampling import clip_frames
from panecho_preprocessing.video import VideoFile

FileBytes = bytes | memoryview | NDArray[np.uint8]


def video_clips(data: FileBytes, options: Options) -> NDArray[np.uint8]:
    """Make the clips of one DICOM, AVI, MP4 or MPEG file. Only the frames that the clips need are decoded.

    Args:
        data: the whole file; it is not copied.
        options: how many clips, how long, how far apart.

    Returns:
        uint8 [num_clips, clip_length, 224, 224, 3], channels in CHANNEL_ORDER; grey frames have three equal channels.

    Raises:
        VideoError: the file cannot be used; nothing else, whatever the bytes are.
    """
    with open_source(data) as source:
        return sample_clips(source, options)


@contextmanager
def open_source(data: FileBytes) -> Iterator[FrameSource]:
    """Open a file's frames; whatever goes wrong with it until it is closed becomes a VideoError.

    Raises:
        VideoError: the file cannot be used.
    """
    view = data.data if isinstance(data, np.ndarray) else memoryview(data)
    container = sniff(view)
    try:
        with quiet_pydicom(), closing(_open(container, view)) as source:
            _require_cine(source.count)
            yield source
    except PreprocessingError:
        raise
    except Exception as error:  # noqa: BLE001  # decoders raise anything on broken bytes; other files must not suffer
        is_dicom = container is Container.DICOM
        code = VideoErrorCode.UNREADABLE_DICOM if is_dicom else VideoErrorCode.UNREADABLE_VIDEO
        # Only the class: the message and the traceback may hold header values.
        raise VideoError(code, f"the file is damaged or not understood ({type(error).__name__})") from None


def sample_clips(source: FrameSource, options: Options) -> NDArray[np.uint8]:
    """Make the clips of an opened file; shapes and errors as `video_clips`."""
    try:
        return _clips(source, source.count, options)
    except WrongFrameCountError as wrong:
        _require_cine(wrong.count)
        return _clips(source, wrong.count, options)


def _open(container: Container, data: memoryview) -> FrameSource:
    return open_dicom(data) if container is Container.DICOM else VideoFile(data)


def _require_cine(count: int) -> None:
    if count == 0:
        raise VideoError(VideoErrorCode.UNREADABLE_VIDEO, "not one frame can be read; is the file cut off?")
    if count == 1:
        raise VideoError(VideoErrorCode.NOT_A_CINE, "a still of 1 frame; send a recording of several frames")


def _clips(source: FrameSource, count: int, options: Options) -> NDArray[np.uint8]:
    wanted = clip_frames(count, options)
    clips = np.empty((*wanted.shape, CROP, CROP, 3), dtype=np.uint8)
    distinct = np.unique(wanted).tolist()
    for index, frame in zip(distinct, source.frames(distinct), strict=True):
        clips[wanted == index] = resize_and_crop(frame)
    return clips
