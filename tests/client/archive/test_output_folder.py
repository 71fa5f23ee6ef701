"""What a folder of many studies holds: everything asked for, and no identifiers unless asked for."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from pydicom import dcmread

from panecho_client import FilesError, StudyResult
from panecho_client._archive.output_folder import OutputFolder
from panecho_client._description import Description
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.pseudonyms import study_name
from panecho_client._identity.study_identity import identify_files
from panecho_client.outputs.table_files import read_csv
from panecho_client.outputs.tables import LONG_COLUMNS, wide_columns
from support.output_runs import PATIENT, ROOT, SETTINGS, MakeStudy, content, paths_of, run, write


def test_everything_is_there(make_study: MakeStudy, tmp_path: Path, description: Description) -> None:
    output = OutputFolder(tmp_path / "new" / "results", html=True, sr=True, parquet=True)
    run(output, [make_study(1), make_study(2)])
    first, second = sorted(output.path.glob("studies/*"))
    for study in (first, second):
        assert sorted(path.name for path in study.iterdir()) == [
            "prediction.json",
            "report.dcm",
            "report.html",
            "study.csv",
            "videos.csv",
        ]
        assert dcmread(study / "report.dcm").PatientID.startswith("patient-")
    assert {path.name for path in output.path.iterdir()} == {"run.json", "studies"} | {p.name for p in output.tables}
    assert [path.name for path in output.tables] == [
        "studies.csv",
        "predictions.csv",
        "predictions.parquet",
        "dictionary.csv",
    ]
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (output.path, output.path / "studies", first))

    wide = read_csv(output.path / "studies.csv", wide_columns(description.tasks))
    assert [row["study"] for row in wide] == [first.name, second.name]
    long = read_csv(output.path / "predictions.csv", LONG_COLUMNS)
    assert long == [row for study in (first, second) for row in read_csv(study / "videos.csv", LONG_COLUMNS)]
    assert parquet.read_table(output.path / "predictions.parquet").to_pylist() == long


def test_json_names_files_as_the_tables_do(make_study: MakeStudy, output: OutputFolder) -> None:
    study = make_study(1)
    output.prepare(resume=False, settings=SETTINGS)
    folder = output.path / "studies" / write(output, study)
    written = json.loads((folder / "prediction.json").read_bytes())
    names = [file.name for file in identify_files(paths_of(study)).files]
    assert [video.pop("path") for video in written["videos"]] == names
    assert [file["name"] for file in written.pop("identity")["files"]] == names
    expected = study.to_dict()
    assert [video.pop("path") for video in expected["videos"]] == [str(path) for path in paths_of(study)]
    assert written == expected


def test_key_frames_are_shown_on_request(make_study: MakeStudy, tmp_path: Path) -> None:
    output, study = OutputFolder(tmp_path / "results", html=True), make_study(1)
    first, *others = study.videos
    study = replace(study, videos=(replace(first, key_frame=np.zeros((224, 224, 3), np.uint8)), *others))
    output.prepare(resume=False, settings=SETTINGS)
    for name, key_frames in (("a", True), ("b", False)):
        output.write(name, study, key_frames=key_frames)
        shown = "data:image/png;base64," in (output.path / f"studies/{name}/report.html").read_text()
        assert shown == key_frames


def test_a_study_of_videos_has_no_structured_report(study: StudyResult, cine: Path, tmp_path: Path) -> None:
    output = OutputFolder(tmp_path / "results", sr=True)
    output.prepare(resume=False, settings=SETTINGS)
    videos = tuple(replace(video, path=cine.with_name("sonosite_h264.mp4")) for video in study.videos)
    output.write("a", replace(study, videos=videos))
    assert output.has("a")
    assert not (output.path / "studies/a/report.dcm").exists()


def test_names_are_folders_and_differ(output: OutputFolder) -> None:
    assert output.claim(study_name("1.2.840.1", include_identifiers=True)) == "1.2.840.1"
    assert output.claim(study_name("1.2.840.1")) == "study-b1c8e9b33bbaa3d7"
    assert [output.claim("study-1") for _ in range(3)] == ["study-1", "study-1-2", "study-1-3"]
    unsafe = ["..", ".", "../../etc", "a/b", "a_b", "Ä\0", "", "1." * 200, "1." * 201, ".hidden", "a b", "\ud800"]
    names = [output.claim(study) for study in unsafe]
    assert len({*names}) == len(unsafe)
    for name in names:
        assert not name.startswith(".")
        assert len(name) < 150
        assert (output.path / name).resolve().parent == output.path.resolve()
    assert [OutputFolder(output.path).claim(study) for study in unsafe] == names


def test_two_studies_of_one_content_are_both_kept(make_study: MakeStudy, output: OutputFolder) -> None:
    study = make_study(1)
    run(output, [study, study])
    rows = (output.path / "studies.csv").read_text().splitlines()[1:]
    name = identify_files(paths_of(study)).study
    assert [row.partition(",")[0] for row in rows] == [name, f"{name}-2"]


def test_a_study_written_again_is_replaced(make_study: MakeStudy, output: OutputFolder) -> None:
    study = make_study(1)
    output.prepare(resume=False, settings=SETTINGS)
    output.write("a", study)
    before = content(output.path)
    output.write("a", replace(study, videos=study.videos[:1]))
    assert len(json.loads((output.path / "studies/a/prediction.json").read_bytes())["videos"]) == 1
    assert content(output.path).keys() == before.keys()
    assert [path.name for path in (output.path / "studies").iterdir()] == ["a"]


@pytest.mark.parametrize("secret", [b"", b"secret"])
def test_no_identifier_is_written_unasked(make_study: MakeStudy, tmp_path: Path, secret: bytes) -> None:
    output = OutputFolder(tmp_path / "results", html=True, sr=True, parquet=True, pseudonym_key=secret)
    studies = [make_study(number) for number in (1, 2)]
    run(output, studies)
    gone = tmp_path / PATIENT / "gone"
    for name in ("study-1", None):
        output.fail(name, [SopInstance(path=gone)], FilesError(f"{gone} cannot be read.", paths=[gone]))
    output.finish()
    everything = b"\n".join(
        name.encode() + b"\n" + data for name, data in content(output.path).items() if name != "predictions.parquet"
    )
    everything += repr(parquet.read_table(output.path / "predictions.parquet").to_pylist()).encode()
    assert output.path / "failures.csv" in output.tables
    known = (PATIENT, "JANE", "MRN-0815", "ACC-4711", "19010203", ROOT, "IM0001", "notes.txt", tmp_path.name)
    for identifier in known:
        assert identifier.encode() not in everything, identifier


def test_identifiers_are_written_when_asked_for(make_study: MakeStudy, tmp_path: Path) -> None:
    output, study = OutputFolder(tmp_path / "results", include_identifiers=True), make_study(1)
    run(output, [study])
    path = paths_of(study)[0]
    output.fail("1.2.3", [SopInstance(path=path)], FilesError(f"{path} cannot be read.", paths=[path]))
    output.finish()
    assert [study.name for study in output.path.glob("studies/*")] == [f"{ROOT}.1"]
    assert str(path).encode() in (output.path / "predictions.csv").read_bytes()
    assert (output.path / "failures.csv").read_text() == (
        f"study,files,code,reason\n1.2.3,{path},INVALID_ARGUMENT,{path} cannot be read.\n"
    )
