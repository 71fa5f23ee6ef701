"""Sorts files into studies: DICOM files by StudyInstanceUID, other videos by file, folder, name or table.

Reads headers only. Needs pydicom.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from panecho_client._exceptions import FilesError
from panecho_client._files.file_bytes import read_start
from panecho_client._files.found_files import LeftOut
from panecho_client._files.zip_files import zip_of
from panecho_client._identity.headers import SopInstance, looks_like_dicom, read_start_and_header
from panecho_client.sources.local_study import LocalStudy
from panecho_client.sources.video_studies import BY_FILE, VideoStudies

META_BYTES = 1024
DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"

MPEG_STARTS = (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")  # program stream, elementary stream
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # old QuickTime files have no ftyp
TRANSPORT_PACKET = 188  # bytes; each packet of an MPEG transport stream starts with a G

MEDIA_SUFFIXES = {".avi", ".dcm", ".dicom", ".ima", ".m4v", ".mov", ".mp4", ".mpeg", ".mpg", ".ts"}

Kind = Literal["dicom", "dicomdir", "video", "other", "stray"]
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


def ignore_left_out(_: LeftOut) -> None:
    """Do nothing."""


def group_studies(
    files: Iterable[Path],
    *,
    videos: VideoStudies = BY_FILE,
    on_left_out: Callable[[LeftOut], None] = ignore_left_out,
) -> tuple[LocalStudy, ...]:
    """Sort files, as ``find_files`` returns them, into studies.

    Videos that are not DICOM (AVI, MP4, MPEG) belong to the DICOM study in their folder or ZIP file, if it holds
    exactly one; otherwise each is a study, unless ``videos`` says otherwise. DICOM files without a UID that belong to
    no DICOM study are one study per folder. Files that are neither DICOM nor video, such as a README, belong to the one
    DICOM study below their folder, if any. Media directories (DICOMDIR), and texts, tables and pictures that belong to
    no DICOM study, are left out. Damaged files raise nothing here: the server reports what is wrong with them.

    Args:
        files: Files and members of ZIP files.
        videos: Which videos that are not DICOM make one study.
        on_left_out: Called for each file that is left out.

    Returns:
        Studies in the order of their first files, each with its files in the order given and their headers.

    Example:
        >>> for study in group_studies(find_files("studies/").files):
        ...     print(study.identity().study, len(study.paths))
        study-5b0c1f3f4a2e9d10 12

    Raises:
        RequestError: The extra ``reports`` is not installed, or ``videos`` does not name the study of a video.
    """
    texts: dict[str, str] = {}  # kept once: the files of a study say mostly the same, and archives hold millions
    groups = _grouped([_read(path, texts) for path in files], videos, on_left_out)
    return tuple(LocalStudy.of(file.header for file in group) for group in groups)


def count_studies(files: Iterable[Path], *, videos: VideoStudies = BY_FILE) -> tuple[int, tuple[SopInstance, ...]]:
    """Return the number of studies among files, not counting stray files, and the headers of all files.

    Where pydicom is not installed, DICOM files count as one study and there are no headers.

    Raises:
        RequestError: ``videos`` does not name the study of a video.
    """
    texts: dict[str, str] = {}
    with_headers = find_spec("pydicom") is not None
    found = [_read(path, texts) if with_headers else _sniffed(path) for path in files]
    groups = _grouped(found, videos, ignore_left_out)
    count = sum(any(file.header.study_instance_uid or file.kind == "video" for file in group) for group in groups)
    return count, tuple(file.header for file in found) if with_headers else ()


def _grouped(
    files: Iterable[_File], videos: VideoStudies, on_left_out: Callable[[LeftOut], None]
) -> Sequence[list[_File]]:
    found = [file for file in files if file.kind != "dicomdir"]
    same_folder, below = _uids_by_container(found)
    groups: defaultdict[object, list[_File]] = defaultdict(list)
    for file in found:
        uid = file.header.study_instance_uid or _belongs_to(file, same_folder, below)
        if uid is None and file.kind == "stray":
            on_left_out(LeftOut(path=file.header.path, reason="neither DICOM nor a video"))
        elif uid is None and file.kind in ("video", "other"):
            groups[videos.study_of(file.header.path)].append(file)
        else:
            groups[uid or file.container].append(file)
    return [*groups.values()]


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


def _belongs_to(file: _File, same_folder: Uids, below: Uids) -> str | None:
    """Return the UID that a file without one shares, if any.

    A video shares the UID of files in the same folder only: elsewhere it could be another patient's.
    """
    lies_anywhere = file.kind in ("other", "stray")
    shared = same_folder.get(file.container) or (below.get(file.container) if lies_anywhere else None) or ()
    return next(iter(shared)) if len(shared) == 1 else None


def _read(path: Path, texts: dict[str, str]) -> _File:
    try:
        start, header = read_start_and_header(path)
    except FilesError:
        return _File(kind="dicom", header=SopInstance(path=path))
    shared = {name: texts.setdefault(text, text) for name, text in vars(header).items() if isinstance(text, str)}
    return _File(kind=_kind(start, path), header=replace(header, **shared))  # type: ignore[arg-type]  # by their names


def _sniffed(path: Path) -> _File:
    try:
        kind = _kind(read_start(path, META_BYTES), path)
    except FilesError:
        kind = "dicom"
    return _File(kind=kind, header=SopInstance(path=path))


def _kind(start: bytes, path: Path) -> Kind:
    if looks_like_dicom(start):
        return "dicomdir" if DICOMDIR_CLASS in start[:META_BYTES] else "dicom"
    # As the server tells videos (panecho_preprocessing.container), which a client cannot import; a test compares them.
    avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    mp4 = start[:1] < b"\t" and start[4:8] in MP4_BOXES
    mpeg = start.startswith(MPEG_STARTS) or start[: 2 * TRANSPORT_PACKET + 1 : TRANSPORT_PACKET] == b"GGG"
    if avi or mp4 or mpeg:
        return "video"
    return "stray" if _is_stray(start, path) else "other"


def _is_stray(start: bytes, path: Path) -> bool:
    """Tell whether a file is text, or has the name of something else than DICOM or a video, such as ``.xlsx``."""
    suffix = path.suffix.lower()
    if suffix in MEDIA_SUFFIXES or not start:
        return False
    return (suffix[1:].isalnum() and not suffix[1:].isdecimal()) or (
        b"\0" not in start and start[:META_BYTES].isascii() and start[:META_BYTES].decode().strip().isprintable()
    )
