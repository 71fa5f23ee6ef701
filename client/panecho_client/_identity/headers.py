"""What the header of a file says about whose it is. Only named elements are read; nothing is decoded."""

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from panecho_client._exceptions import FilesError
from panecho_client._identity.optional_packages import needs_reports_extra, quiet_pydicom
from panecho_client._zip_files import archive_of, member_size, read_member

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

__all__ = ["VALID_UID", "SopInstance", "looks_like_dicom", "read_header", "read_sop_instance"]

# The elements read lie before the pixels: nearly always within the first size, and no header comes near the second.
HEADER_BYTES = (1 << 16, 4 << 20)
DEFLATED = b"1.2.840.10008.1.2.1.99"
META_LENGTH = b"\x02\x00\x00\x00UL"
FIRST_TAG = 0x00080000
LAST_TAG = 0x00280011
ITEM_TAG = 0xFFFEE000
VALID_UID = re.compile(r"[0-9]+(\.[0-9]+)+")

KEYWORDS = {
    "sop_instance_uid": "SOPInstanceUID",
    "sop_class_uid": "SOPClassUID",
    "series_instance_uid": "SeriesInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "study_id": "StudyID",
    "accession_number": "AccessionNumber",
    "referring_physician": "ReferringPhysicianName",
}
UIDS = ("sop_instance_uid", "sop_class_uid", "series_instance_uid", "study_instance_uid")
SIZES = {"rows": "Rows", "columns": "Columns"}


@dataclass(frozen=True, kw_only=True)
class SopInstance:
    """One file of a study and the identifiers in its header; None where it is no DICOM or lacks one.

    Attributes:
        path: The file.
        content: SHA-256 of a file that has no SOP SopInstance UID, as hexadecimal digits; else None.
        sop_instance_uid: UID of the file, as all ``…_uid`` a sequence of numbers and dots.
        sop_class_uid: Kind of DICOM object.
        series_instance_uid: Series that it belongs to.
        study_instance_uid: Study that it belongs to.
        patient_id: The institution's number of the patient.
        patient_name: ``Family^Given``.
        patient_birth_date: ``YYYYMMDD``.
        patient_sex: ``F``, ``M`` or ``O``.
        study_date: ``YYYYMMDD``.
        study_time: ``HHMMSS``.
        study_id: The institution's number of the study.
        accession_number: Number of the order.
        referring_physician: ``Family^Given``.
        rows: Height of a frame in pixels.
        columns: Width of a frame in pixels.
    """

    path: Path
    content: str | None = None
    sop_instance_uid: str | None = None
    sop_class_uid: str | None = None
    series_instance_uid: str | None = None
    study_instance_uid: str | None = None
    patient_id: str | None = None
    patient_name: str | None = None
    patient_birth_date: str | None = None
    patient_sex: str | None = None
    study_date: str | None = None
    study_time: str | None = None
    study_id: str | None = None
    accession_number: str | None = None
    referring_physician: str | None = None
    rows: int | None = None
    columns: int | None = None


def read_sop_instance(path: Path) -> SopInstance:
    """Read the identifiers of a file, or of a member of a ZIP archive (``study.zip/IM0001``).

    Example:
        >>> read_sop_instance(Path("study/a.dcm")).study_instance_uid
        '1.2.840.113619.2.1'

    Raises:
        FilesError: The file cannot be read. One that is no DICOM, or is damaged, is not an error.
        RequestError: The extra ``reports`` is not installed.
    """
    _, found = read_header(path)
    with _readable(path):
        content = None if found.get("sop_instance_uid") else _digest(path)
    texts = {name: text for name, text in found.items() if name not in SIZES}
    sizes = {name: int(text) for name, text in found.items() if name in SIZES and text.isdecimal()}
    return SopInstance(path=path, content=content, **texts, **sizes)  # type: ignore[arg-type]  # the keys keep them apart


def read_header(path: Path) -> tuple[bytes, dict[str, str]]:
    """Read the beginning of a file, and no more of it than holds the header.

    Returns:
        At most 4 MiB; and by attribute of ``SopInstance`` the elements that it has, none where it is no DICOM.

    Raises:
        FilesError, RequestError: As ``read_sop_instance``.
    """
    with needs_reports_extra():
        import pydicom  # noqa: F401, PLC0415 - part of an extra
    with _readable(path):
        for size in HEADER_BYTES:
            head = _head(path, size)
            found, complete = _elements(head)
            if complete or len(head) < size:
                break
    return head, found


def looks_like_dicom(head: bytes) -> bool:
    """Tell whether a file that begins so can be DICOM; some are written without a preamble."""
    return head[128:132] == b"DICM" or head[:2] in (b"\x02\0", b"\x08\0")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FilesError(f"{path} cannot be read: {reason}.", paths=[path]) from None


def _head(path: Path, size: int) -> bytes:
    archive = archive_of(path)
    if archive is None:
        with path.open("rb") as opened:
            return opened.read(size)
    head = bytearray(min(member_size(archive, path), size))
    read_member(archive, path, memoryview(head))
    return bytes(head)


def _digest(path: Path) -> str:
    archive = archive_of(path)
    if archive is None:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    member = bytearray(member_size(archive, path))
    read_member(archive, path, memoryview(member))
    return hashlib.sha256(member).hexdigest()


def _elements(head: bytes) -> tuple[dict[str, str], bool]:
    """Return the elements found, and whether no more of them can follow."""
    if not looks_like_dicom(head):
        return {}, True
    try:
        with quiet_pydicom():
            dataset, complete = _parse(head)
            found = {name: _text(dataset, keyword) for name, keyword in (KEYWORDS | SIZES).items()}
    except Exception:  # noqa: BLE001 - pydicom raises whatever a damaged header leads to
        return {}, False
    named = {name: text for name, text in found.items() if text and (name not in UIDS or VALID_UID.fullmatch(text))}
    # Any bytes can be read as a header without a preamble; only one with the UIDs of an instance is taken for DICOM.
    known = head[128:132] == b"DICM" or {"sop_instance_uid", "sop_class_uid"} <= named.keys()
    return named if known else {}, complete


def _parse(head: bytes) -> tuple["Dataset", bool]:
    from pydicom.filereader import read_partial  # noqa: PLC0415 - part of an extra
    from pydicom.tag import Tag  # noqa: PLC0415 - as above

    if head[132:138] == META_LENGTH and DEFLATED in head[:1024]:
        start = 144 + int.from_bytes(head[140:144], "little")
        head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head[start:], HEADER_BYTES[-1])
    stopped = False

    def is_past_all(tag: int, _vr: str | None, _length: int) -> bool:
        """Stop also where the header breaks off into zeros, which would be read as endless elements."""
        nonlocal stopped
        stopped = tag < FIRST_TAG or LAST_TAG < tag < ITEM_TAG  # some files have stray items
        return stopped

    tags: list[BaseTag | int] = [Tag(keyword) for keyword in (*KEYWORDS.values(), *SIZES.values())]
    dataset = read_partial(io.BytesIO(head), stop_when=is_past_all, force=True, specific_tags=tags)
    return dataset, stopped


def _text(dataset: "Dataset", keyword: str) -> str | None:
    from pydicom.dataelem import RawDataElement  # noqa: PLC0415 - part of an extra

    raw = dataset.get_item(keyword)
    broken_off = isinstance(raw, RawDataElement) and len(raw.value or b"") < raw.length
    value = None if broken_off else dataset.get(keyword)
    return None if value is None else str(value).strip("\0 ")
