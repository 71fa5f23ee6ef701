"""Names of a study and its files in outputs: identifiers on request, pseudonyms otherwise.

Every output takes a ``StudyIdentity`` and nothing else that could identify, so this is the one place that decides.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from panecho_client._files.found_files import shown_path
from panecho_client._identity.headers import SopInstance, read_header, read_headers, with_content
from panecho_client._identity.patient_facts import age_in_years, body_surface, is_known
from panecho_client._identity.pseudonyms import pseudonym, pseudonymous_uid, study_name
from panecho_client._results import StudyResult, VideoResult

__all__ = ["FileIdentity", "StudyIdentity", "identify", "identify_files"]


@dataclass(frozen=True, kw_only=True)
class FileIdentity:
    """Name and identifiers of a file in outputs.

    Attributes:
        name: Path, or pseudonym such as ``video-3f9a1c7be02d4f58``.
        sop_instance_uid: UID, or the UID that stands for it; None where the file has none. The next three likewise.
        sop_class_uid: Kind of DICOM object; it identifies nobody and is never replaced.
        series_instance_uid: UID of the series.
        study_instance_uid: UID of the study.
        rows: Height of a frame in pixels.
        columns: Width of a frame in pixels.
    """

    name: str
    sop_instance_uid: str | None
    sop_class_uid: str | None
    series_instance_uid: str | None
    study_instance_uid: str | None
    rows: int | None
    columns: int | None

    @property
    def is_reference(self) -> bool:
        """Whether it has every UID that a DICOM object needs to refer to it."""
        uids = (self.sop_class_uid, self.sop_instance_uid, self.series_instance_uid, self.study_instance_uid)
        return None not in uids


@dataclass(frozen=True, kw_only=True)
class StudyIdentity:
    """Names and identifiers of a study and its files in outputs.

    Example:
        >>> identity = StudyIdentity.of(study.headers)
        >>> identity.study, identity.files[0].name
        ('study-5b0c1f3f4a2e9d10', 'video-3f9a1c7be02d4f58')

    Attributes:
        study: Study Instance UID, or pseudonym such as ``study-5b0c1f3f4a2e9d10``.
        study_instance_uid: UID of the study, or the UID that stands for it; None where no file has one.
        patient: Patient ID, or pseudonym; None where no file names a patient.
        identified: Whether this holds identifiers; if not, everything below is None except sex, age and body surface.
        study_count: Number of studies that the files come from; above 1 they were mixed.
        files: One per file, in the order given.
        patient_sex: ``F``, ``M`` or ``O``: reference ranges need it, and it alone identifies nobody.
        patient_age: Whole years at the study, 90 for all who are older; derived, so that it identifies nobody.
        body_surface: In square metres, from height and weight by Du Bois, rounded to 0.05.
        patient_name: ``Family^Given``.
        patient_birth_date: ``YYYYMMDD``.
        study_date: ``YYYYMMDD``.
        study_time: ``HHMMSS``.
        study_id: The institution's number of the study.
        accession_number: Number of the order.
        referring_physician: ``Family^Given``.
    """

    study: str
    study_instance_uid: str | None
    patient: str | None
    identified: bool
    study_count: int
    files: tuple[FileIdentity, ...]
    patient_sex: str | None = None
    patient_age: int | None = None
    body_surface: float | None = None
    patient_name: str | None = None
    patient_birth_date: str | None = None
    study_date: str | None = None
    study_time: str | None = None
    study_id: str | None = None
    accession_number: str | None = None
    referring_physician: str | None = None

    @classmethod
    def of(
        cls, headers: Iterable[SopInstance], *, include_identifiers: bool = False, pseudonym_key: bytes = b""
    ) -> Self:
        """Return the identity of the study that these files are.

        Files of several studies are named after the study that most of them belong to. A file without identifiers that
        was not hashed (``with_content``) is known by its path.

        Args:
            headers: The study's files, in the order of ``StudyResult.videos``.
            include_identifiers: Whether outputs may hold paths and what the headers say.
            pseudonym_key: Key of the pseudonyms; see ``pseudonym``.
        """
        headers = tuple(headers)
        if include_identifiers:
            return cls._identified(headers)
        study, members = _main_study(headers)
        patient = next((header.patient_id for header in members if header.patient_id), None)
        return cls(
            study=study_name(study, pseudonym_key=pseudonym_key),
            study_instance_uid=pseudonymous_uid(study, pseudonym_key=pseudonym_key) if members else None,
            patient=pseudonym(patient, kind="patient", pseudonym_key=pseudonym_key) if patient else None,
            identified=False,
            study_count=_count_studies(headers),
            files=tuple(_pseudonymous(header, pseudonym_key) for header in headers),
            patient_sex=_sex(members),
            patient_age=next(filter(is_known, map(age_in_years, members)), None),
            body_surface=next(filter(is_known, map(body_surface, members)), None),
        )

    @classmethod
    def _identified(cls, headers: Sequence[SopInstance]) -> Self:
        study, members = _main_study(headers)
        # Every file of a study should say the same about study and patient; the first file counts if not.
        first = next(iter(members), SopInstance(path=Path()))
        return cls(
            study=study,
            study_instance_uid=first.study_instance_uid,
            patient=first.patient_id,
            identified=True,
            study_count=_count_studies(headers),
            files=tuple(_named(header, shown_path(header.path)) for header in headers),
            patient_sex=_sex(members),
            patient_age=next(filter(is_known, map(age_in_years, members)), None),
            body_surface=next(filter(is_known, map(body_surface, members)), None),
            patient_name=first.patient_name,
            patient_birth_date=first.patient_birth_date,
            study_date=first.study_date,
            study_time=first.study_time,
            study_id=first.study_id,
            accession_number=first.accession_number,
            referring_physician=first.referring_physician,
        )


def identify(
    study: StudyResult,
    *,
    headers: Iterable[SopInstance] = (),
    include_identifiers: bool = False,
    pseudonym_key: bytes = b"",
) -> StudyIdentity:
    """Return the identity of a study that was predicted.

    Args:
        study: The study.
        headers: Headers that were read before, such as ``LocalStudy.headers``; those of other files are read now.
        include_identifiers: See ``StudyIdentity.of``.
        pseudonym_key: See ``StudyIdentity.of``.

    Example:
        >>> identify(panecho.predict_study("study/")).study
        'study-5b0c1f3f4a2e9d10'

    Raises:
        FilesError: A file that was used cannot be read any more.
        RequestError: The extra ``reports`` is not installed.
    """
    known = {header.path: header for header in headers}
    files = [known.get(video.path) or _header(video) for video in study.videos]
    return StudyIdentity.of(
        map(with_content, files), include_identifiers=include_identifiers, pseudonym_key=pseudonym_key
    )


def identify_files(
    files: Iterable[Path], *, include_identifiers: bool = False, pseudonym_key: bytes = b""
) -> StudyIdentity:
    """Return the identity of files that were not predicted; a file that cannot be read is known by its path alone.

    Arguments as of ``StudyIdentity.of``.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    headers = map(with_content, read_headers(files))
    return StudyIdentity.of(headers, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key)


def _header(video: VideoResult) -> SopInstance:
    """Return the header of a file; one that could not be read when it was predicted has its path alone."""
    return read_header(video.path) if video.ok else read_headers([video.path])[0]


def _main_study(headers: Sequence[SopInstance]) -> tuple[str, list[SopInstance]]:
    """Return what names the study, and its files: its UID, or the files' contents where none has a UID."""
    uids = Counter(header.study_instance_uid for header in headers if header.study_instance_uid)
    if not uids:
        contents = sorted(header.content or str(header.path) for header in headers)
        return hashlib.sha256("\n".join(contents).encode(errors="surrogateescape")).hexdigest(), []
    ((study, _),) = uids.most_common(1)
    return study, [header for header in headers if header.study_instance_uid == study]


def _count_studies(headers: Sequence[SopInstance]) -> int:
    return len({header.study_instance_uid for header in headers} - {None}) or 1


def _sex(headers: Iterable[SopInstance]) -> str | None:
    found = {header.patient_sex for header in headers} & {"F", "M", "O"}
    return found.pop() if len(found) == 1 else None


def _pseudonymous(header: SopInstance, pseudonym_key: bytes) -> FileIdentity:
    source = header.sop_instance_uid or header.content or shown_path(header.path)
    uids = (header.sop_instance_uid, header.series_instance_uid, header.study_instance_uid)
    sop, series, study = (pseudonymous_uid(uid, pseudonym_key=pseudonym_key) if uid else None for uid in uids)
    return replace(
        _named(header, pseudonym(source, kind="video", pseudonym_key=pseudonym_key)),
        sop_instance_uid=sop,
        series_instance_uid=series,
        study_instance_uid=study,
    )


def _named(header: SopInstance, name: str) -> FileIdentity:
    return FileIdentity(
        name=name,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        series_instance_uid=header.series_instance_uid,
        study_instance_uid=header.study_instance_uid,
        rows=header.rows,
        columns=header.columns,
    )
