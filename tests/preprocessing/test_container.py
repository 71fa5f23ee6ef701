import pytest

from panecho_preprocessing import VideoError, VideoErrorCode
from panecho_preprocessing.container import Container, sniff


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (bytes(128) + b"DICM", Container.DICOM),
        (b"\x02\x00\x00\x00UL\x04\x00", Container.DICOM),
        (b"\x08\x00\x16\x00UI\x1a\x00", Container.DICOM),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100", Container.DICOM),
        (b"RIFF\x00\x10\x00\x00AVI LIST", Container.VIDEO),
        (b"\x00\x00\x00\x1cftypisom", Container.VIDEO),
        (b"\x00\x00\x01\xba\x44", Container.VIDEO),
        (b"\x00\x00\x01\xb3\x2d", Container.VIDEO),
    ],
)
def test_known_files_are_told_by_their_first_bytes(head: bytes, container: Container) -> None:
    assert sniff(memoryview(head)) is container


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"<MPD>",
        b"#EXTftypM3U",
        b"RIFF\x00\x10\x00\x00WAVE",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04",
        b"GIF89a",
        b"\x08\x00\x05\x00\xff\xff\xff\x7f",
        b"\x08",
        bytes(1000),
    ],
)
def test_anything_else_is_not_opened(content: bytes) -> None:
    with pytest.raises(VideoError) as refused:
        sniff(memoryview(content))
    assert refused.value.code is VideoErrorCode.NOT_A_VIDEO
    assert str(refused.value) == "NOT_A_VIDEO: the file is neither DICOM, AVI, MP4 nor MPEG"


def test_an_empty_file_says_so() -> None:
    with pytest.raises(VideoError, match=r"^EMPTY_FILE: the file has 0 bytes$"):
        sniff(memoryview(b""))
