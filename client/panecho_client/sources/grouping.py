"""Sorts files into studies: DICOM files by StudyInstanceUID, other files by their folder.

Reads headers only. Needs pydicom.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from panecho_client._exceptions import FilesError
from panecho_client._identity.headers import SopInstance, looks_like_dicom, read_headers, read_start_and_header
from panecho_client._zip_files import zip_of
from panecho_client.sources.local_study import LocalStudy

META_BYTES = 1024
DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"

MPEG_STARTS = (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")  # program stream, elementary stream
TRANSPORT_PACKET = 188  # bytes; each packet of an MPEG transport stream starts with a G

Kind = Literal["dicom", "dicomdir", "video", "other"]
Container: TypeAlias = Path
"""A folder, or a ZIP file with all its folders."""
Uids: TypeAlias = defaultdict[Container, set[str]]


@dataclass(frozen=True, kw_only=True)
class _File:
    kind: Kind
    header: SopInstance

    @property
    def container(self) -> Container:
        return zip_of(self.header.path) or self.header.path.parent


def group_studies(files: Iterable[Path]) -> tuple[LocalStudy, ...]:
    """Sort files, as ``find_files`` returns them, into studies.

    Files without a UID (AVI, MP4, damaged or stray) belong to the DICOM study in their folder or ZIP file, if it holds
    exactly one; otherwise they are a separate study. Files that are neither DICOM nor video, such as a README, also
    belong to the one study below their folder. Media directories (DICOMDIR) are left out. Damaged files raise nothing
    here: the server reports what is wrong with them.

    Args:
        files: Files and members of ZIP files.

    Returns:
        Studies in the order of their first files, each with its files in the order given and their headers.

    Example:
        >>> for study in group_studies(find_files("studies/").files):
        ...     print(study.identity().study, len(study.paths))
        study-5b0c1f3f4a2e9d10 12

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    texts: dict[str, str] = {}  # kept once: the files of a study say mostly the same, and archives hold millions
    found = [file for file in (_read(path, texts) for path in files) if file.kind != "dicomdir"]
    same_folder, below = _uids_by_container(found)
    groups: defaultdict[str | Container, list[SopInstance]] = defaultdict(list)
    for file in found:
        groups[file.header.study_instance_uid or _belongs_to(file, same_folder, below)].append(file.header)
    return tuple(map(LocalStudy.of, groups.values()))


def read_known_headers(files: Iterable[Path]) -> tuple[SopInstance, ...]:
    """Read the headers of files; none where pydicom is not installed."""
    return () if find_spec("pydicom") is None else read_headers(files)


def count_studies(headers: Iterable[SopInstance]) -> int:
    """Return the number of StudyInstanceUIDs; 0 where no file has one."""
    return len({header.study_instance_uid for header in headers} - {None})


def _uids_by_container(files: Iterable[_File]) -> tuple[Uids, Uids]:
    """Return the UIDs of the files in each container, and of those anywhere below it."""
    same_folder: Uids = defaultdict(set)
    below: Uids = defaultdict(set)
    for file in files:
        if file.header.study_instance_uid is not None:
            same_folder[file.container].add(file.header.study_instance_uid)
    for container, uids in same_folder.items():
        for parent in container.parents:
            below[parent] |= uids
    return same_folder, below


def _belongs_to(file: _File, same_folder: Uids, below: Uids) -> str | Container:
    """Return the UID that a file without one shares, or its container.

    A video shares the UID of files in the same folder only: elsewhere it could be another patient's.
    """
    shared = same_folder.get(file.container) or (below.get(file.container) if file.kind == "other" else None) or ()
    return next(iter(shared)) if len(shared) == 1 else file.container


def _read(path: Path, texts: dict[str, str]) -> _File:
    try:
        start, header = read_start_and_header(path)
    except FilesError:
        return _File(kind="dicom", header=SopInstance(path=path))
    shared = {name: texts.setdefault(text, text) for name, text in vars(header).items() if isinstance(text, str)}
    return _File(kind=_kind(start), header=replace(header, **shared))  # type: ignore[arg-type]  # texts by their names


def _kind(start: bytes) -> Kind:
    if looks_like_dicom(start):
        return "dicomdir" if DICOMDIR_CLASS in start[:META_BYTES] else "dicom"
    # As the server tells videos (panecho_preprocessing.container), which a client cannot import; a test compares them.
    avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    mp4 = start[:1] == b"\0" and start[4:8] == b"ftyp"
    mpeg = start.startswith(MPEG_STARTS) or start[: 2 * TRANSPORT_PACKET + 1 : TRANSPORT_PACKET] == b"GGG"
    return "video" if avi or mp4 or mpeg else "other"
