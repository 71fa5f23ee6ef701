"""Recognises the kind of a file by its first bytes, so that no unknown file reaches a video library."""

import struct
from enum import Enum

from panecho_preprocessing.errors import VideoError, VideoErrorCode

_MPEG_STARTS = (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")  # program stream, elementary stream
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_TRANSPORT_PACKET = 188  # bytes, each packet starting with a G (ISO/IEC 13818-1)


class Container(Enum):
    """The kinds of file that are read."""

    DICOM = "DICOM"
    VIDEO = "AVI, MP4 or MPEG"


def sniff(data: memoryview) -> Container:
    """Distinguish DICOM from video.

    FFmpeg would also open playlists, which can name other files and addresses; so only AVI, MP4 and MPEG pass.

    Raises:
        VideoError: EMPTY_FILE or NOT_A_VIDEO.
    """
    head = bytes(data[:132])
    if not head:
        raise VideoError(VideoErrorCode.EMPTY_FILE, "the file has 0 bytes")
    if head[128:] == b"DICM" or _starts_like_a_data_set(head, len(data)):
        return Container.DICOM
    if is_video(data):
        return Container.VIDEO
    raise VideoError(VideoErrorCode.NOT_A_VIDEO, "the file is neither DICOM, AVI, MP4 nor MPEG")


def is_video(data: memoryview) -> bool:
    """Whether the first bytes are those of an AVI, MP4 or MPEG, which FFmpeg may open."""
    head = bytes(data[:132])
    return _is_avi(head) or _is_mp4(head) or head.startswith(_MPEG_STARTS) or _is_transport_stream(data)


def _is_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def _is_mp4(head: bytes) -> bool:
    # Its size starts with a small number, as no playlist (a text) does. Old QuickTime files have no ftyp.
    return head[:1] < b"\t" and head[4:8] in _FIRST_BOXES


def _is_transport_stream(data: memoryview) -> bool:
    return len(data) > 2 * _TRANSPORT_PACKET and bytes(data[: 2 * _TRANSPORT_PACKET + 1 : _TRANSPORT_PACKET]) == b"GGG"


def _starts_like_a_data_set(head: bytes, size: int) -> bool:
    """Whether a DICOM without preamble starts here: with an element of group 0002 or 0008."""
    if len(head) < 8:
        return False
    group, element, length = struct.unpack_from("<HHI", head)
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return group in (0x0002, 0x0008) and element <= 0x0100 and (explicit or length <= size - 8)
