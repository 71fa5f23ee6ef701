"""What the header of a file says about whose it is. Only named elements are read; nothing is decoded."""

import hashlib
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from panecho_client._archives import archive_of, member_size, read_member
from panecho_client._exceptions import FilesError
from panecho_client._extras import needs_reports_extra, quiet_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Instance", "read_instance"]

# The elements read lie before the pixels, and no header of an ultrasound image comes near this size.
HEADER_BYTES = 4 << 20
DEFLATED = b"1.2.840.10008.1.2.1.99"
META_LENGTH = b"\x02\x00\x00\x00UL"
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
class Instance:
    """One file of a study and the identifiers in its header; None where it is no DICOM or lacks one.

    Attributes:
        path: The file.
        content: SHA-256 of a file that has no SOP Instance UID, as hexadecimal digits; else None.
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


def read_instance(path: Path) -> Instance:
    """Read the identifiers of a file, or of a member of a ZIP archive (``study.zip/IM0001``).

    Example:
        >>> read_instance(Path("study/a.dcm")).study_instance_uid
        '1.2.840.113619.2.1'

    Raises:
        FilesError: The file cannot be read. One that is no DICOM, or is damaged, is not an error.
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        import pydicom  # noqa: F401, PLC0415 - part of an extra
    try:
        header = _head(path)
        found = _read_header(header)
        content = None if found.get("sop_instance_uid") else _digest(path)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise FilesError(f"{path} cannot be read: {error}.", paths=[path]) from None
    texts = {name: text for name, text in found.items() if name not in SIZES}
    sizes = {name: int(text) for name, text in found.items() if name in SIZES and text.isdecimal()}
    return Instance(path=path, content=content, **texts, **sizes)  # type: ignore[arg-type]  # the keys keep them apart


def _head(path: Path) -> bytes:
    archive = archive_of(path)
    if archive is None:
        with path.open("rb") as opened:
            return opened.read(HEADER_BYTES)
    head = bytearray(min(member_size(archive, path), HEADER_BYTES))
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


def _read_header(header: bytes) -> dict[str, str]:
    try:
        with quiet_pydicom():
            dataset = _parse(header)
            found = {name: _text(dataset, keyword) for name, keyword in (KEYWORDS | SIZES).items()}
    except Exception:  # noqa: BLE001 - pydicom raises whatever a damaged header leads to
        return {}
    named = {name: text for name, text in found.items() if text and (name not in UIDS or VALID_UID.fullmatch(text))}
    # Any bytes can be read as a header without a preamble; only one with the UIDs of an instance is taken for DICOM.
    known = header[128:132] == b"DICM" or {"sop_instance_uid", "sop_class_uid"} <= named.keys()
    return named if known else {}


def _parse(header: bytes) -> "Dataset":
    from pydicom import dcmread  # noqa: PLC0415 - part of an extra

    if header[132:138] == META_LENGTH and DEFLATED in header[:1024]:
        start = 144 + int.from_bytes(header[140:144], "little")
        header = zlib.decompressobj(-zlib.MAX_WBITS).decompress(header[start:], HEADER_BYTES)
    keywords = [*KEYWORDS.values(), *SIZES.values()]
    return dcmread(io.BytesIO(header), stop_before_pixels=True, force=True, specific_tags=keywords)


def _text(dataset: "Dataset", keyword: str) -> str | None:
    value = dataset.get(keyword)
    return None if value is None else str(value).strip("\0 ")
