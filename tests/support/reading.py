"""The parts of ``panecho_preprocessing`` below its public functions, for tests of one codec or one header."""

from collections.abc import Sequence

from panecho_preprocessing import Limits
from panecho_preprocessing.dicom.header import Header, read_header
from panecho_preprocessing.dicom.open_dicom import open_dicom
from panecho_preprocessing.frames import Cine, Frame

# SOP classes of real files from other scanners, and ultrasound's of the same length.
OF_ANOTHER_SCANNER = {
    b"1.2.840.10008.5.1.4.1.1.12.1": b"1.2.840.10008.5.1.4.1.1.3.1\0",  # X-ray angiography
    b"1.2.840.10008.5.1.4.1.1.2.1\0": b"1.2.840.10008.5.1.4.1.1.3.1\0",  # enhanced CT
    b"1.2.840.10008.5.1.4.1.1.4\0": b"1.2.840.10008.5.1.4.1.1.3\0",  # MR; ultrasound's retired class
}

TRANSFER_SYNTAX = b"\x02\x00\x10\x00UI"


def header_of(data: bytes) -> Header:
    """Read a DICOM file's header."""
    return read_header(memoryview(data), Limits())


def cine_of(data: bytes) -> Cine:
    """Open a DICOM file, a still too."""
    return open_dicom(memoryview(data), Limits())


def count_of(data: bytes) -> int:
    """Count a DICOM file's frames."""
    return cine_of(data).reader.count


def frames_of(data: bytes, indices: Sequence[int] | None = None) -> list[Frame]:
    """Decode a DICOM file's frames as they are stored, all of them unless some are named."""
    reader = cine_of(data).reader
    return list(reader.map(lambda frame: frame, range(reader.count) if indices is None else indices, None))


def as_ultrasound(data: bytes) -> bytes:
    """Call a file of another scanner ultrasound, so that its pixels are read."""
    for other, ultrasound in OF_ANOTHER_SCANNER.items():
        data = data.replace(other, ultrasound)
    return data


def with_transfer_syntax(data: bytes, syntax: str) -> bytes:
    """Exchange the element's bytes: pydicom writes no file in a syntax that it does not know."""
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    element = TRANSFER_SYNTAX + len(value).to_bytes(2, "little") + value
    position = data.index(TRANSFER_SYNTAX)
    others = without_transfer_syntax(data)
    return others[:position] + element + others[position:]


def without_transfer_syntax(data: bytes) -> bytes:
    position = data.index(TRANSFER_SYNTAX)
    return data[:position] + data[position + 8 + int.from_bytes(data[position + 6 : position + 8], "little") :]
