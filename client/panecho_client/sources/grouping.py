"""Which files make one study: DICOM files by StudyInstanceUID, other files by where they lie.

Reads headers only. Needs pydicom.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from panecho_client._exceptions import FilesError
from panecho_client._identity.headers import looks_like_dicom, read_header
from panecho_client._zip_files import archive_of

META_BYTES = 1024
DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"

MPEG_STARTS = (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")  # program stream, elementary stream
TRANSPORT_PACKET = 188  # bytes, each packet of an MPEG transport stream beginning with a G

Kind = Literal["dicom", "dicomdir", "video", "other"]
Container: TypeAlias = Path
"""A folder, or a ZIP archive with all its folders."""
Uids: TypeAlias = defaultdict[Container, set[str]]


@dataclass(frozen=True, kw_only=True)
class _Header:
    kind: Kind
    uid: str | None = None


def group_studies(files: Iterable[Path]) -> tuple[tuple[Path, ...], ...]:
    """Group files, as ``find_files`` returns them, into studies.

    Files without a UID (AVI, MP4, damaged or stray) belong to the DICOM study that lies in their folder or archive, if
    it is just one; else they are a study of their own. Files that are neither DICOM nor video, such as a README, also
    belong to the one study below their folder. Media directories (DICOMDIR) are left out. What a file holds raises
    nothing: who reads it later says what is wrong with it.

    Args:
        files: Files and members of archives.

    Returns:
        The files of each study in the order given, and the studies in the order of their first files.

    Example:
        >>> for study in group_studies(find_files("studies/").files):
        ...     print(StudyIdentity.of(map(read_sop_instance, study)).study, len(study))
        study-5b0c1f3f4a2e9d10 12

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    headers = _read_headers(files)
    beside: Uids = defaultdict(set)
    below: Uids = defaultdict(set)
    for path, header in headers.items():
        if header.uid is not None:
            beside[_container(path)].add(header.uid)
    for container, uids in beside.items():
        for parent in container.parents:
            below[parent] |= uids
    groups: defaultdict[str | Container, list[Path]] = defaultdict(list)
    for path, header in headers.items():
        groups[header.uid or _belongs_to(_container(path), header.kind, beside, below)].append(path)
    return tuple(map(tuple, groups.values()))


def count_studies(files: Iterable[Path]) -> int:
    """Return how many StudyInstanceUIDs the files have: 0 where none has one, and where pydicom is not installed."""
    if find_spec("pydicom") is None:
        return 0
    return len({header.uid for header in _read_headers(files).values()} - {None})


def _belongs_to(container: Container, kind: Kind, beside: Uids, below: Uids) -> str | Container:
    """Return the UID that a file without one shares, or else its folder.

    A video shares the UID of files right beside it only: it could be another patient's.
    """
    shared = beside.get(container) or (below.get(container) if kind == "other" else None) or ()
    return next(iter(shared)) if len(shared) == 1 else container


def _container(path: Path) -> Container:
    return archive_of(path) or path.parent


def _read_headers(files: Iterable[Path]) -> dict[Path, _Header]:
    return {path: header for path in files if (header := _read_header(path)).kind != "dicomdir"}


def _read_header(path: Path) -> _Header:
    try:
        head, found = read_header(path)
    except FilesError:
        return _Header(kind="dicom")
    return _Header(kind=_kind(head), uid=found.get("study_instance_uid"))


def _kind(head: bytes) -> Kind:
    if looks_like_dicom(head):
        return "dicomdir" if DICOMDIR_CLASS in head[:META_BYTES] else "dicom"
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    mp4 = head[4:8] == b"ftyp"
    mpeg = head.startswith(MPEG_STARTS) or head[: 2 * TRANSPORT_PACKET + 1 : TRANSPORT_PACKET] == b"GGG"
    return "video" if avi or mp4 or mpeg else "other"
