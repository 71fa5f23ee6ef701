"""What a study and its files are called in outputs: by their identifiers when asked for, else by pseudonyms.

Every output takes a ``StudyIdentity`` and nothing else that could identify, so this is the one place that decides.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from panecho_client._exceptions import FilesError
from panecho_client._files import shown_path
from panecho_client._identity.headers import SopInstance, read_sop_instance
from panecho_client._identity.pseudonyms import pseudonym, pseudonymous_uid, study_name
from panecho_client._results import StudyResult

__all__ = [
    "FileIdentity",
    "SopInstance",
    "StudyIdentity",
    "identify",
    "identify_files",
    "pseudonym",
    "pseudonymous_uid",
    "read_sop_instance",
    "study_name",
]


@dataclass(frozen=True, kw_only=True)
class FileIdentity:
    """What a file is called in outputs.

    Attributes:
        name: Path, or pseudonym such as ``video-3f9a1c7be02d4f58``.
        sop_instance_uid: UID, or the UID that stands for it; None where the file has none. So are the next three.
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
        """Whether it has every UID with which a DICOM object refers to another."""
        uids = (self.sop_class_uid, self.sop_instance_uid, self.series_instance_uid, self.study_instance_uid)
        return None not in uids


@dataclass(frozen=True, kw_only=True)
class StudyIdentity:
    """What a study and its files are called in outputs.

    Example:
        >>> identity = StudyIdentity.of(map(read_sop_instance, files))
        >>> identity.study, identity.files[0].name
        ('study-5b0c1f3f4a2e9d10', 'video-3f9a1c7be02d4f58')

    Attributes:
        study: Study SopInstance UID, or pseudonym such as ``study-5b0c1f3f4a2e9d10``.
        study_instance_uid: UID of the study, or the UID that stands for it; None where no file has one.
        patient: Patient ID, or pseudonym; None where no file names a patient.
        identified: Whether this holds identifiers; without, everything below but ``patient_sex`` is None.
        study_count: Studies that the files come from; above 1 they were mixed.
        files: One per file, in the order given.
        patient_sex: ``F``, ``M`` or ``O``: reference ranges need it, and it alone identifies nobody.
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
    patient_name: str | None = None
    patient_birth_date: str | None = None
    study_date: str | None = None
    study_time: str | None = None
    study_id: str | None = None
    accession_number: str | None = None
    referring_physician: str | None = None

    @classmethod
    def of(
        cls, instances: Iterable[SopInstance], *, include_identifiers: bool = False, pseudonym_key: bytes = b""
    ) -> Self:
        """Return the identity of the study that these files are.

        Files of several studies are named after the study that most of them belong to.

        Args:
            instances: The study's files, in the order of ``StudyResult.videos``.
            include_identifiers: Whether outputs may hold what is in the headers, and paths.
            pseudonym_key: Key of the pseudonyms; see ``pseudonym``.
        """
        instances = tuple(instances)
        if include_identifiers:
            return cls._identified(instances)
        study, members = _main_study(instances)
        patient = next((instance.patient_id for instance in members if instance.patient_id), None)
        return cls(
            study=study_name(study, pseudonym_key=pseudonym_key),
            study_instance_uid=pseudonymous_uid(study, pseudonym_key=pseudonym_key) if members else None,
            patient=pseudonym(patient, kind="patient", pseudonym_key=pseudonym_key) if patient else None,
            identified=False,
            study_count=_count_studies(instances),
            files=tuple(_pseudonymous(instance, pseudonym_key) for instance in instances),
            patient_sex=_sex(members),
        )

    @classmethod
    def _identified(cls, instances: Sequence[SopInstance]) -> Self:
        study, members = _main_study(instances)
        # Study and patient say the same in every file of a study; of the first, should they not.
        first = next(iter(members), SopInstance(path=Path()))
        return cls(
            study=study,
            study_instance_uid=first.study_instance_uid,
            patient=first.patient_id,
            identified=True,
            study_count=_count_studies(instances),
            files=tuple(_named(instance, shown_path(instance.path)) for instance in instances),
            patient_sex=_sex(members),
            patient_name=first.patient_name,
            patient_birth_date=first.patient_birth_date,
            study_date=first.study_date,
            study_time=first.study_time,
            study_id=first.study_id,
            accession_number=first.accession_number,
            referring_physician=first.referring_physician,
        )


def identify(study: StudyResult, *, include_identifiers: bool = False, pseudonym_key: bytes = b"") -> StudyIdentity:
    """Read the headers of a study's files and return its identity.

    Arguments as of ``StudyIdentity.of``, errors as of ``read_sop_instance``.

    Example:
        >>> identify(panecho.predict_study("study/")).study
        'study-5b0c1f3f4a2e9d10'
    """
    instances = [read_sop_instance(video.path) for video in study.videos]
    return StudyIdentity.of(instances, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key)


def identify_files(
    files: Iterable[Path], *, include_identifiers: bool = False, pseudonym_key: bytes = b""
) -> StudyIdentity:
    """Return the identity of a study that was not predicted; a file that cannot be read is known by its path alone.

    Arguments as of ``StudyIdentity.of``.

    Example:
        >>> identify_files([Path("study/a.dcm"), Path("study/gone.dcm")]).files[1].name
        'video-53a0c1d1a1b4f6e2'

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    instances = map(_instance_or_path, files)
    return StudyIdentity.of(instances, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key)


def _instance_or_path(path: Path) -> SopInstance:
    try:
        return read_sop_instance(path)
    except FilesError:
        return SopInstance(path=path)


def _main_study(instances: Sequence[SopInstance]) -> tuple[str, list[SopInstance]]:
    """Return what names the study, and its files: its UID, or what its files hold where none has one."""
    uids = Counter(instance.study_instance_uid for instance in instances if instance.study_instance_uid)
    if not uids:
        contents = sorted(instance.content or str(instance.path) for instance in instances)
        return hashlib.sha256("\n".join(contents).encode(errors="surrogateescape")).hexdigest(), []
    ((study, _),) = uids.most_common(1)
    return study, [instance for instance in instances if instance.study_instance_uid == study]


def _count_studies(instances: Sequence[SopInstance]) -> int:
    return len({instance.study_instance_uid for instance in instances} - {None}) or 1


def _sex(instances: Iterable[SopInstance]) -> str | None:
    found = {instance.patient_sex for instance in instances} & {"F", "M", "O"}
    return found.pop() if len(found) == 1 else None


def _pseudonymous(instance: SopInstance, pseudonym_key: bytes) -> FileIdentity:
    source = instance.sop_instance_uid or instance.content or shown_path(instance.path)
    uids = (instance.sop_instance_uid, instance.series_instance_uid, instance.study_instance_uid)
    sop, series, study = (pseudonymous_uid(uid, pseudonym_key=pseudonym_key) if uid else None for uid in uids)
    return replace(
        _named(instance, pseudonym(source, kind="video", pseudonym_key=pseudonym_key)),
        sop_instance_uid=sop,
        series_instance_uid=series,
        study_instance_uid=study,
    )


def _named(instance: SopInstance, name: str) -> FileIdentity:
    return FileIdentity(
        name=name,
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        series_instance_uid=instance.series_instance_uid,
        study_instance_uid=instance.study_instance_uid,
        rows=instance.rows,
        columns=instance.columns,
    )
