"""Turns the bytes of one file into clips."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from panecho_preprocessing.constants import CROP, PUBLISHED_MIN_FRAME_RATE, RESIZE
from panecho_preprocessing.container import Container, sniff
from panecho_preprocessing.dicom.open_dicom import open_dicom
from panecho_preprocessing.dicom.quiet_pydicom import quiet_pydicom
from panecho_preprocessing.errors import PreprocessingError, VideoError, VideoErrorCode
from panecho_preprocessing.frames import Box, Cine, Frame, FrameReader, WrongFrameCountError
from panecho_preprocessing.framing.framing import Framing, find_framing
from panecho_preprocessing.limits import Limits
from panecho_preprocessing.mjpeg_video import open_video
from panecho_preprocessing.options import ClipOptions
from panecho_preprocessing.sampling import clip_frames, key_frame

FileBytes = bytes | memoryview | NDArray[np.uint8]

# Frames, spread over the whole cine, in which its sector is searched: the framing then depends on the file alone and
# not on the clips requested. Eight in a row would lose a sixth of the sector of a slow heart.
PROBE = 8

# Levels below this are black to the eye, and to the model; the darkest cine tried reaches 170.
_DARK = 16

# Frames that differ by no more than this, in grey levels, show the same; a still heart's speckle differs by tens.
_STILL = 2

# A video may repeat single frames: fewer than this many equal ones prove nothing.
_STILL_FRAMES = 4


class VideoClips(NamedTuple):
    """The clips of one video.

    Attributes:
        clips: uint8 [num_clips, clip_length, 224, 224, 3], channels in CHANNEL_ORDER.
        key_frame: uint8 [224, 224, 3], the middle frame as the model sees it, but red first; None unless requested.
        frames: number of frames of the video.
        instance: its SOPInstanceUID, empty where it has none. Not for logs and texts.
        notes: what to know about it, such as a low frame rate or a sector that is not found; empty if nothing.
    """

    clips: NDArray[np.uint8]
    key_frame: NDArray[np.uint8] | None
    frames: int
    instance: str
    notes: str = ""

    @property
    def status(self) -> str:
        """What a study says of it: "ok", or "ok: " and the notes."""
        return f"ok: {self.notes}" if self.notes else "ok"


def video_clips(
    data: FileBytes, options: ClipOptions, *, threads: int = 1, limits: Limits | None = None
) -> NDArray[np.uint8]:
    """Make the clips of one DICOM, AVI, MP4 or MPEG file. Only the frames that the clips need are decoded.

    Args:
        data: the whole file; it is not copied.
        options: which clips, and how their frames are prepared.
        threads: number of frames decoded at a time; the result does not depend on it.
        limits: sizes above which the file is refused.

    Returns:
        uint8 [num_clips, clip_length, 224, 224, 3], channels in CHANNEL_ORDER; grey frames have three equal channels.

    Raises:
        VideoError: the file cannot be used; nothing else, whatever the bytes are.
    """
    with quiet_pydicom(), pool(threads) as executor, opened(data, limits or Limits()) as cine:
        return sample_clips(cine, options, executor).clips


def clip_at(
    data: FileBytes, options: ClipOptions, place: float, *, border: bool = False, limits: Limits | None = None
) -> NDArray[np.uint8]:
    """Make one clip, from a chosen place of a file, as a training needs it; its frames are those of `video_clips`.

    Args:
        data: the whole file; it is not copied.
        options: length, stride, rate and framing of the clip; `num_clips` is ignored.
        place: where it starts, from 0 (the first frame) to just below 1 (the last start that fits).
        border: keep the border of 16 pixels that the last crop takes away, so that a frame can be shifted.
        limits: sizes above which the file is refused.

    Returns:
        uint8 [clip_length, 224, 224, C], 256 pixels a side with the border; C is 1 for grey frames, else 3 in
        CHANNEL_ORDER.

    Raises:
        VideoError: as `video_clips`.
    """
    with quiet_pydicom(), opened(data, limits or Limits()) as cine:
        _require_rate(cine.rate, options.min_frame_rate)
        try:
            return _clip_at(cine, cine.reader.count, options, place, border=border)
        except WrongFrameCountError as wrong:
            _require_cine(wrong.count)
            return _clip_at(cine, wrong.count, options, place, border=border)


def _clip_at(cine: Cine, count: int, options: ClipOptions, place: float, *, border: bool) -> NDArray[np.uint8]:
    seconds = None if cine.seconds is None else cine.seconds[:count]
    (sampled,) = clip_frames(count, options, seconds, place)
    _, images = _images(cine, count, np.unique(sampled).tolist(), options, None, border=border)
    by_index = dict(images)
    clip = np.stack([by_index[index] for index in sampled.tolist()])
    _require_visible(clip[None])
    return clip


def pool(threads: int) -> "nullcontext[None] | ThreadPoolExecutor":
    """Return a context whose value is a pool of `threads` threads, or None for one thread."""
    return ThreadPoolExecutor(threads) if threads > 1 else nullcontext()


@contextmanager
def opened(data: FileBytes, limits: Limits) -> Iterator[Cine]:
    """Open a file; every error until it is closed becomes a VideoError.

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


def sample_clips(cine: Cine, options: ClipOptions, executor: Executor | None) -> VideoClips:
    """Make the clips, and the key frame if requested, of an opened file; errors as `video_clips`."""
    _require_rate(cine.rate, options.min_frame_rate)
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


def _require_rate(rate: float | None, least: float | None) -> None:
    if rate is not None and least is not None and rate < least:
        raise VideoError(
            VideoErrorCode.LOW_FRAME_RATE,
            f"the header states {rate:g} frames per second, under min_frame_rate={least:g}; lower it or leave it out",
        )


def _rate_note(rate: float | None) -> str:
    if rate is None or rate >= PUBLISHED_MIN_FRAME_RATE:
        return ""
    return f"{rate:g} frames per second; the published preparation leaves out those under {PUBLISHED_MIN_FRAME_RATE}"


def _clips(cine: Cine, count: int, options: ClipOptions, executor: Executor | None) -> VideoClips:
    seconds = None if cine.seconds is None else cine.seconds[:count]
    sampled = clip_frames(count, options, seconds)
    key = [key_frame(count, options, seconds)] if options.key_frames else []
    clips, shown = np.empty((*sampled.shape, CROP, CROP, 3), dtype=np.uint8), None
    framing, images = _images(cine, count, np.union1d(sampled, key).astype(int).tolist(), options, executor)
    for index, image in images:
        clips[sampled == index] = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.shape[2] == 1 else image
        if index in key:
            shown = np.broadcast_to(image, (CROP, CROP, 3))[:, :, ::-1]
    _require_visible(clips)
    _require_moving(clips, len(np.unique(sampled)))
    notes = "; ".join(filter(None, (_rate_note(cine.rate), framing.note, _padding_note(count, options))))
    return VideoClips(clips, shown, count, cine.instance, notes)


def _require_visible(clips: NDArray[np.uint8]) -> None:
    """Refuse clips in which nothing can be seen although something is there."""
    if clips[:, 0].max() >= _DARK:  # one frame of each clip shows it, as a rule
        return
    brightest = int(clips.max())
    if brightest < _DARK and int(clips.min()) < brightest:
        raise VideoError(
            VideoErrorCode.NEARLY_BLACK,
            f"the frames are nearly black: their brightest level is {brightest} of 255; correct window or BitsStored",
        )


def _require_moving(clips: NDArray[np.uint8], distinct: int) -> None:
    """Refuse clips of one grey level, and clips in which no frame differs from the first.

    Args:
        clips: uint8 [num_clips, clip_length, 224, 224, 3].
        distinct: number of frames of the video in them.
    """
    first = clips[0, 0].astype(np.int16)
    if any(np.abs(frame - first).max() > _STILL for clip in clips for frame in clip):
        return
    if int(first.max()) - int(first.min()) <= _STILL:
        level = int(first.max())
        raise VideoError(
            VideoErrorCode.BLANK, f"every frame is one grey level, {level} of 255; record or export it again"
        )
    if distinct >= _STILL_FRAMES:
        raise VideoError(VideoErrorCode.FROZEN, f"nothing moves in {distinct} frames; send the recording, not a still")


def _padding_note(count: int, options: ClipOptions) -> str:
    """Return what to know of a video that is shorter than a clip; empty for others, and for resampled ones."""
    needed = (options.clip_length - 1) * options.frame_stride + 1
    if options.frame_rate is not None or count >= needed:
        return ""
    return f"{count} frames, fewer than the {needed} of a clip: the last one is repeated"


def _images(  # noqa: PLR0913 - what the two kinds of clips need
    cine: Cine,
    count: int,
    sampled: list[int],
    options: ClipOptions,
    executor: Executor | None,
    *,
    border: bool = False,
) -> tuple[Framing, Iterator[tuple[int, Frame]]]:
    """Return the framing, and each sampled frame as the model sees it; none is decoded twice at full size."""
    policy = options.policy(is_prepared=cine.is_prepared)
    is_plain = policy.mask == policy.crop == "none"
    probed = [] if is_plain else np.unique(np.linspace(0, count - 1, PROBE).round().astype(int)).tolist()
    probe = dict(zip(probed, cine.reader.map(_unchanged, probed, executor), strict=True))
    framing = find_framing(list(probe.values()), cine.tissue, policy, is_rgb=cine.is_rgb)
    reader, factor = cine.reader, 1
    if options.decode_scale == "reduced" and probe and framing.outline is None:
        reader, factor = _reduced(cine.reader, framing.box or _all_of(probe[0]))
    others = [index for index in sampled if index not in probe]
    smaller = framing.reduced(factor)
    apply, apply_smaller = (
        (framing.apply_with_border, smaller.apply_with_border) if border else (framing.apply, smaller.apply)
    )
    return framing, chain(
        ((index, apply(frame)) for index, frame in probe.items() if index in sampled),
        zip(others, reader.map(apply_smaller, others, executor), strict=True),
    )


def _all_of(frame: Frame) -> Box:
    return Box(0, frame.shape[0], 0, frame.shape[1])


def _reduced(reader: FrameReader, seen: Box) -> tuple[FrameReader, int]:
    """Return a faster reader and its factor, if the part seen is then still as large as the model needs."""
    for factor in (4, 2):
        smaller = reader.reduced(factor)
        if smaller and min(seen.height, seen.width) >= factor * RESIZE:
            return smaller, factor
    return reader, 1


def _unchanged(frame: Frame) -> Frame:
    return frame
