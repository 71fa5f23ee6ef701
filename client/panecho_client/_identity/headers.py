"""Reads the patient, study, series and instance identifiers from a DICOM header. Nothing is decoded."""

import io
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from panecho_client._exceptions import FilesError
from panecho_client._files.file_bytes import read_start, sha256_of
from panecho_client._identity.optional_packages import needs_reports_extra, quiet_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

__all__ = [
    "VALID_UID",
    "SopInstance",
    "looks_like_dicom",
    "read_header",
    "read_headers",
    "read_start_and_header",
    "with_content",
]

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
    "patient_age": "PatientAge",
    "patient_size": "PatientSize",
    "patient_weight": "PatientWeight",
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
    """One file of a study and the identifiers in its header; None where the file is not DICOM or lacks one.

    Attributes:
        path: The file.
        content: SHA-256 of the whole file in hexadecimal digits, if it was hashed; see ``with_content``.
        sop_instance_uid: UID of the file; every ``…_uid`` is a sequence of numbers and dots.
        sop_class_uid: Kind of DICOM object.
        series_instance_uid: UID of the series.
        study_instance_uid: UID of the study.
        patient_id: The institution's number of the patient.
        patient_name: ``Family^Given``.
        patient_birth_date: ``YYYYMMDD``.
        patient_sex: ``F``, ``M`` or ``O``.
        patient_age: ``034Y``, ``006M``, ``010W`` or ``003D``.
        patient_size: Height in metres.
        patient_weight: Weight in kilograms.
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
    patient_age: str | None = None
    patient_size: str | None = None
    patient_weight: str | None = None
    study_date: str | None = None
    study_time: str | None = None
    study_id: str | None = None
    accession_number: str | None = None
    referring_physician: str | None = None
    rows: int | None = None
    columns: int | None = None


def read_header(path: Path) -> SopInstance:
    """Read the identifiers of a file, or of a member of a ZIP file (``study.zip/IM0001``).

    Example:
        >>> read_header(Path("study/a.dcm")).study_instance_uid
        '1.2.840.113619.2.1'

    Raises:
        FilesError: The file cannot be read. A file that is not DICOM, or is damaged, is not an error.
        RequestError: The extra ``reports`` is not installed.
    """
    return read_start_and_header(path)[1]


def read_headers(files: Iterable[Path]) -> tuple[SopInstance, ...]:
    """Read the identifiers of files; a file that cannot be read has its path alone.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    return tuple(_header_or_path(path) for path in files)


def read_start_and_header(path: Path) -> tuple[bytes, SopInstance]:
    """Read the identifiers, and return the start of the file, at most 4 MiB, too; errors as ``read_header``."""
    with needs_reports_extra():
        import pydicom  # noqa: F401, PLC0415 - part of an extra
    for size in HEADER_BYTES:
        start = read_start(path, size)
        found, complete = _elements(start)
        if complete or len(start) < size:
            break
    texts = {name: text for name, text in found.items() if name not in SIZES}
    sizes = {name: int(text) for name, text in found.items() if name in SIZES and text.isdecimal()}
    return start, SopInstance(path=path, **texts, **sizes)  # type: ignore[arg-type]  # the keys keep them apart


def with_content(header: SopInstance) -> SopInstance:
    """Return the header with the SHA-256 of its file if the file needs it for a name: it has no SOP Instance UID.

    The file is read whole. One that cannot be read, or that is hashed already, is returned as it is.
    """
    if header.content or header.sop_instance_uid:
        return header
    try:
        return replace(header, content=sha256_of(header.path))
    except FilesError:
        return header


def looks_like_dicom(start: bytes) -> bool:
    """Tell whether a file that starts so can be DICOM; some are written without a preamble."""
    return start[128:132] == b"DICM" or start[:2] in (b"\x02\0", b"\x08\0")


def _header_or_path(path: Path) -> SopInstance:
    try:
        return read_header(path)
    except FilesError:
        return SopInstance(path=path)


def _elements(start: bytes) -> tuple[dict[str, str], bool]:
    """Return the elements found, and whether no more of them can follow."""
    if not looks_like_dicom(start):
        return {}, True
    try:
        with quiet_pydicom():
            dataset, complete = _parse(start)
            found = {name: _text(dataset, keyword) for name, keyword in (KEYWORDS | SIZES).items()}
    except Exception:  # noqa: BLE001 - pydicom raises whatever a damaged header leads to
        return {}, False
    named = {name: text for name, text in found.items() if text and (name not in UIDS or VALID_UID.fullmatch(text))}
    # Any bytes can be read as a header without a preamble; only one with the UIDs of an instance is taken for DICOM.
    known = start[128:132] == b"DICM" or {"sop_instance_uid", "sop_class_uid"} <= named.keys()
    return named if known else {}, complete


def _parse(start: bytes) -> tuple["Dataset", bool]:
    from pydicom.filereader import read_partial  # noqa: PLC0415 - part of an extra
    from pydicom.tag import Tag  # noqa: PLC0415 - as above

    if start[132:138] == META_LENGTH and DEFLATED in start[:1024]:
        end_of_meta = 144 + int.from_bytes(start[140:144], "little")
        start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(start[end_of_meta:], HEADER_BYTES[-1])
    stopped = False

    def is_past_all(tag: int, _vr: str | None, _length: int) -> bool:
        """Stop also where the header breaks off into zeros, which would be read as endless elements."""
        nonlocal stopped
        stopped = tag < FIRST_TAG or LAST_TAG < tag < ITEM_TAG  # some files have stray items
        return stopped

    tags: list[BaseTag | int] = [Tag(keyword) for keyword in (*KEYWORDS.values(), *SIZES.values())]
    dataset = read_partial(io.BytesIO(start), stop_when=is_past_all, force=True, specific_tags=tags)
    return dataset, stopped


def _text(dataset: "Dataset", keyword: str) -> str | None:
    from pydicom.dataelem import RawDataElement  # noqa: PLC0415 - part of an extra

    raw = dataset.get_item(keyword)
    broken_off = isinstance(raw, RawDataElement) and len(raw.value or b"") < raw.length
    value = None if broken_off else dataset.get(keyword)
    return None if value is None else str(value).strip("\0 ")
