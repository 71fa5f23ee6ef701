"""Runs that write to an ``OutputFolder``, with studies of a known patient."""

from collections.abc import Callable
from pathlib import Path

from panecho_client import StudyResult
from panecho_client._archive.output_folder import OutputFolder
from panecho_client._identity.study_identity import identify_files

SETTINGS = {"tasks": "all", "weights": "stand-in 0", "weights_sha256": None, "stand_in": True, "num_clips": 4}
PATIENT = "DOE^JANE"
ROOT = "1.2.826.0.1.3680043.8.498"

MakeStudy = Callable[[int], StudyResult]
Content = dict[str, bytes]


def paths_of(study: StudyResult) -> list[Path]:
    return [video.path for video in study.videos]


def write(output: OutputFolder, study: StudyResult) -> str:
    identity = identify_files(
        paths_of(study), include_identifiers=output.include_identifiers, pseudonym_key=output.pseudonym_key
    )
    name = output.claim(identity.study)
    if not output.has(name):
        output.write(name, study)
    return name


def run(output: OutputFolder, studies: list[StudyResult], *, resume: bool = False) -> None:
    output.prepare(resume=resume, settings=SETTINGS)
    for study in studies:
        write(output, study)
    output.finish()


def content(folder: Path) -> Content:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
