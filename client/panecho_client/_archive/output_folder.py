"""The folder of a run over many studies: each study in it is whole, and what is there can be resumed.

FOLDER/
├── run.json                settings that every study in it was predicted with
├── studies/NAME/           prediction.json, study.csv, videos.csv, and the reports and key frames asked for
├── studies.csv             all studies, a row each
├── predictions.csv         all studies, a row per study or video, task and class; predictions.parquet when asked for
├── embeddings.parquet      when asked for: all studies, a row per video
├── without_cine.csv        studies that hold nothing to predict
├── dictionary.csv          what each column of these tables holds
└── failures.csv            studies that could not be predicted in the last run
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from panecho_client._archive.joined_tables import (
    EMBEDDINGS,
    FAILURES,
    STUDY_TABLE,
    TABLES,
    VIDEOS_TABLE,
    WITHOUT_CINE,
    Failure,
    read_failures,
    write_failures,
    write_tables,
)
from panecho_client._description import VERSION
from panecho_client._exceptions import FilesError, PanEchoError
from panecho_client._files.whole_files import STORAGE, accessing, remove_leftovers, unfinished_folder, write_whole
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.key_table import append_key_table
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.pseudonyms import pseudonym
from panecho_client._identity.study_identity import identify
from panecho_client._results import StudyResult
from panecho_client.outputs.embedding_files import write_study_embeddings
from panecho_client.outputs.reference_ranges import RangeTable
from panecho_client.outputs.sr import can_have_sr
from panecho_client.outputs.stored_results import PREDICTION, write_stored
from panecho_client.outputs.study_files import Outputs

SETTINGS = "run.json"

FILES = re.compile("|".join(map(re.escape, (SETTINGS, *TABLES))))
SAFE = re.compile(r"[0-9A-Za-z._-]+")
UNSAFE = re.compile(r"^\.|[^0-9A-Za-z.-]")
NAME_LENGTH = 100
LEAST_FREE = 16 << 20  # bytes; a study takes about 0.1 MB, and 1 MB with key frames

Setting: TypeAlias = str | float | bool | None


@dataclass
class OutputFolder:
    """Results of many studies.

    A study is written to a hidden folder that is then renamed, so a run that is killed leaves no half of it. The tables
    are made from the studies' folders, in the order of their names: whatever interrupted a run, and in whatever order
    its studies were done, the same bytes result. One process writes to a folder at a time.

    Example:
        >>> output = OutputFolder(Path("results"), html=True)
        >>> output.prepare(resume=False, settings={"tasks": "EF", "weights_sha256": panecho.weights.sha256})
        >>> for study in group_studies(find_files("studies/").files):
        ...     name = output.claim(study.identity().study)
        ...     if output.has(name):
        ...         continue
        ...     try:
        ...         output.write(name, panecho.predict_study(study.paths, tasks=["EF"]), headers=study.headers)
        ...     except PanEchoError as error:
        ...         output.fail(name, study.headers, error)
        >>> output.finish()

    Args:
        path: The folder; it is made, for its owner only, if it does not exist.
        html: Whether each study gets a report to read.
        sr: Whether each study gets a DICOM structured report; one of videos alone cannot have any.
        reports: Further reports of each study: ``echo_sr``, ``pdf``, ``dicom_pdf``, ``fhir``.
        parquet: Whether all studies' rows are written as Parquet too.
        embeddings: Whether the embeddings of all videos are written as Parquet; studies must hold them.
        include_identifiers: Whether outputs, and names of folders, hold identifiers instead of pseudonyms.
        pseudonym_key: Key of the pseudonyms.
        key_table: CSV file to add the pseudonyms of each study to, with what they stand for.
    """

    path: Path
    _: KW_ONLY
    html: bool = False
    sr: bool = False
    reports: tuple[str, ...] = ()
    parquet: bool = False
    embeddings: bool = False
    include_identifiers: bool = False
    pseudonym_key: bytes = field(default=b"", repr=False)
    key_table: Path | None = None
    _claimed: set[str] = field(default_factory=set, init=False, repr=False)
    _failures: dict[str, Failure] = field(default_factory=dict, init=False, repr=False)
    _without_cine: dict[str, Failure] = field(default_factory=dict, init=False, repr=False)

    def prepare(self, *, resume: bool, settings: Mapping[str, Setting]) -> None:
        """Make the folder, or go on with what a run of the same settings left in it.

        Args:
            resume: Whether the folder may hold results already.
            settings: What decides on the results, such as tasks and weights; what this object holds is added.

        Raises:
            FilesError: The folder holds results and ``resume`` is not asked for, they were made with other settings, or
                it cannot be written.
            RequestError: The extra ``reports`` is not installed.
        """
        self._require_packages()
        settings = {**settings, **self._own_settings()}
        earlier = _read_settings(self.path / SETTINGS)
        if resume and earlier is not None and any(self._studies.glob("[!.]*")):  # else nothing was made with them
            _require_same(self.path, earlier, settings)
        elif not resume or earlier is None:
            self._refuse_results(resume=resume)
        for folder, names in ((self.path, FILES), (self._studies, SAFE)):
            with accessing(folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                remove_leftovers(folder, names)
        self._without_cine = {found.study: found for found in read_failures(self.path / WITHOUT_CINE)}
        write_whole(self.path / SETTINGS, f"{json.dumps(settings, indent=2)}\n".encode())
        _require_room(self.path)

    def claim(self, study: str) -> str:
        """Return the name of a study's folder, which no other study of this run has.

        Call it once for each study, in the same order in every run.

        Args:
            study: ``StudyIdentity.study``, or what ``study_name`` returns.
        """
        safe = name = _safe_name(study)
        number = 1
        while name in self._claimed:
            number += 1
            name = f"{safe}-{number}"
        self._claimed.add(name)
        return name

    def folder_of(self, name: str) -> Path:
        """Return the folder of a study's results, whether there are any or not."""
        return self._studies / name

    def has(self, name: str) -> bool:
        """Tell whether there is a result of this study, or it is known to hold nothing to predict."""
        return name in self._without_cine or self._predicted(name)

    def _predicted(self, name: str) -> bool:
        return (self.folder_of(name) / PREDICTION).is_file()

    def write(
        self,
        name: str,
        study: StudyResult,
        *,
        headers: Iterable[SopInstance] = (),
        key_frames: bool = False,
        ranges: RangeTable | None = None,
    ) -> None:
        """Write a study's folder, whole or not at all. An older one is replaced.

        Args:
            name: From ``claim``: the study's name in all outputs.
            study: The study.
            headers: Headers of its files that were read before; those of other files are read now.
            key_frames: See ``render_html``.
            ranges: Reference ranges of the reports; those of the guidelines by default.

        Raises:
            FilesError: It cannot be written, or a file's header cannot be read.
        """
        identity = identify(
            study,
            headers=headers,
            include_identifiers=self.include_identifiers,
            pseudonym_key=self.pseudonym_key,
        )
        identity = replace(identity, study=name)
        videos = zip(study.videos, identity.files, strict=True)
        named = replace(study, videos=tuple(replace(video, path=Path(file.name)) for video, file in videos))
        with unfinished_folder(self.folder_of(name)) as folder:
            tables = Outputs(wide_csv=folder / STUDY_TABLE, csv=folder / VIDEOS_TABLE)
            tables.write(study, identity)
            reports = Outputs.reports_in(folder, self._reports, of_dicom=can_have_sr(study, identity))
            reports.write(study, identity, key_frames=key_frames, ranges=ranges)
            if self.embeddings:
                write_study_embeddings(folder / EMBEDDINGS, study, identity)
            write_stored(folder, named, identity, key_frames=key_frames)

    def note_names(self, headers: Sequence[SopInstance]) -> None:
        """Add the pseudonyms of a study's files to the key table, if there is one.

        Raises:
            FilesError: It cannot be written, or others may read it.
        """
        if self.key_table is not None:
            append_key_table(self.key_table, headers, pseudonym_key=self.pseudonym_key)

    def fail(
        self, name: str | None, headers: Sequence[SopInstance], error: PanEchoError, *, without_cine: bool = False
    ) -> None:
        """Note for ``failures.csv`` that a study could not be predicted or written.

        Args:
            name: From ``claim``; None if the study could not be named.
            headers: Headers of the study's files, as far as they are known.
            error: The reason. Paths in its text become pseudonyms, unless identifiers are included.
            without_cine: Whether it holds nothing to predict: ``without_cine.csv`` lists it then, and it is not tried
                again.
        """
        failure = Failure.of(
            name, headers, error, include_identifiers=self.include_identifiers, pseudonym_key=self.pseudonym_key
        )
        table = self._without_cine if without_cine else self._failures
        table[failure.study] = failure

    def finish(self) -> None:
        """Write the tables of what is there; also after an interruption.

        Raises:
            FilesError: A table cannot be written, or a study's is missing or damaged.
        """
        write_failures(self.path / FAILURES, self.failures)
        write_failures(self.path / WITHOUT_CINE, (of for name, of in sorted(self._without_cine.items())))
        found = self._studies.glob(f"[!.]*/{PREDICTION}")
        write_tables(self.path, sorted(path.parent for path in found), parquet=self.parquet, embeddings=self.embeddings)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Studies that failed and have no result, sorted by name."""
        return tuple(failure for name, failure in sorted(self._failures.items()) if not self._predicted(name))

    @property
    def tables(self) -> tuple[Path, ...]:
        """Tables that ``finish`` wrote."""
        return tuple(path for table in TABLES if (path := self.path / table).exists())

    @property
    def shows_frames(self) -> bool:
        """Whether a report shows key frames."""
        return bool({"html", "pdf", "dicom_pdf"} & {*self._reports})

    @property
    def _reports(self) -> tuple[str, ...]:
        return (*(name for name in ("html", "sr") if getattr(self, name)), *self.reports)

    @property
    def _studies(self) -> Path:
        return self.path / "studies"

    def _require_packages(self) -> None:
        packages = {
            "pydicom": True,
            "jinja2": self.html,
            "highdicom": bool({"sr", "echo_sr", "dicom_pdf", "fhir"} & {*self._reports}),
            "reportlab": bool({"pdf", "dicom_pdf"} & {*self._reports}),
            "fhir.resources": "fhir" in self.reports,
            "pyarrow": self.parquet or self.embeddings,
        }
        with needs_reports_extra():
            for package in (package for package, needed in packages.items() if needed):
                import_module(package)

    def _own_settings(self) -> dict[str, Setting]:
        return {
            "version": VERSION,
            "html": self.html,
            "sr": self.sr,
            "reports": ",".join(sorted(self.reports)),
            "parquet": self.parquet,
            **({"embeddings": True} if self.embeddings else {}),
            "include_identifiers": self.include_identifiers,
            "pseudonym_key": pseudonym("", kind="secret", pseudonym_key=self.pseudonym_key)
            if self.pseudonym_key
            else None,
        }

    def _refuse_results(self, *, resume: bool) -> None:
        with accessing(self.path, "read", "name another folder"):
            found = [path for path in self._studies.glob("*") if not path.name.startswith(".")]
        if found or self.tables:
            unknown = (
                f"{self.path} holds results, but no {SETTINGS} that tells how they were made; name another folder."
            )
            given = f"{self.path} holds results already; give --resume to go on with them, or name another folder."
            raise FilesError(unknown if resume else given, paths=[self.path])


def _require_room(folder: Path) -> None:
    """Refuse a disk that would be full after a few studies."""
    with accessing(folder):
        free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        raise FilesError(
            f"{folder}: {free >> 20} MiB are free on its disk, and a run needs at least {LEAST_FREE >> 20}; make "
            "room, or name another folder.",
            code=STORAGE,
            paths=[folder],
        )


def _safe_name(study: str) -> str:
    """Return a name for a folder; where it cannot be the study's own, digits keep it apart from others."""
    safe = UNSAFE.sub("_", study)[:NAME_LENGTH] or "_"
    return safe if safe == study else f"{safe}-{hashlib.sha256(study.encode(errors='surrogatepass')).hexdigest()[:16]}"


def _read_settings(path: Path) -> dict[str, Setting] | None:
    """Return the settings of the run that began a folder; None where none did."""
    with accessing(path, "read", "name another folder"):
        if not path.exists():
            return None
        content = path.read_bytes()
    try:
        settings: dict[str, Setting] = json.loads(content)
        settings["include_identifiers"]
    except (KeyError, TypeError, ValueError):
        raise FilesError(f"{path} was not written by panecho; name another folder.", paths=[path]) from None
    return settings


def _require_same(folder: Path, earlier: Mapping[str, Setting], settings: Mapping[str, Setting]) -> None:
    was, now = ({name: json.dumps(value) for name, value in run.items()} for run in (earlier, settings))
    names = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
    if names:
        changes = "; ".join(f"{name} was {was.get(name)} and is {now.get(name)}" for name in names)
        raise FilesError(
            f"{folder} was started with other settings: {changes}. Resume with the same, or name another folder.",
            paths=[folder],
        )
