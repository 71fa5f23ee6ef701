"""Results of many studies: whole or not at all, and resumed to the same bytes, whatever happened."""

import asyncio
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from panecho_client import ClipOptions, FilesError, RequestError, ServerError, StudyResult
from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.run import ArchiveRun
from panecho_client._archive.study_source import StudyInFiles
from panecho_client._identity.headers import read_headers
from panecho_client._identity.study_identity import identify_files
from panecho_client.sources import LocalStudy
from support.output_runs import SETTINGS, MakeStudy, content, paths_of, run, write

CHILD = """
import pickle, sys
from pathlib import Path
from panecho_client._identity.study_identity import identify
from panecho_client._archive.output_folder import OutputFolder
studies, settings = pickle.loads(Path(sys.argv[2]).read_bytes())
output = OutputFolder(Path(sys.argv[1]), html=True, parquet=True)
output.prepare(resume=True, settings=settings)
for study in studies:
    name = output.claim(identify(study).study)
    if not output.has(name):
        output.write(name, study)
    print(name, flush=True)
while True:
    output.finish()
    print("finished", flush=True)
"""


def kill_after(lines: int, seconds: float, folder: Path, pickled: Path) -> None:
    """Run the child until it has printed so many lines and some time more, then kill it."""
    process = subprocess.Popen([sys.executable, "-c", CHILD, folder, pickled], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_a_killed_run_leaves_whole_studies_and_resumes_to_the_same_bytes(make_study: MakeStudy, tmp_path: Path) -> None:
    studies = [make_study(number) for number in range(12)]
    pickled = tmp_path / "studies.pickle"
    pickled.write_bytes(pickle.dumps((studies, SETTINGS)))
    run(OutputFolder(tmp_path / "whole", html=True, parquet=True), studies)
    expected = content(tmp_path / "whole")

    folder, leftovers, counts = tmp_path / "killed", 0, []
    for lines, seconds in [(0, 0.3), (1, 0.0), (2, 0.01), (4, 0.02), (6, 0.03), (8, 0.005), (10, 0.015)]:
        kill_after(lines, seconds, folder, pickled)
        found = [path for path in folder.glob("studies/*") if not path.name.startswith(".")]
        for study in found:
            assert content(study) == content(tmp_path / "whole/studies" / study.name)
        counts.append(len(found))
        leftovers += sum(1 for _ in folder.glob("studies/.*"))
    assert counts == sorted(counts)
    assert 0 < counts[2] < len(studies)
    assert leftovers > 0  # it was killed while it wrote

    run(OutputFolder(folder, html=True, parquet=True), studies[::-1], resume=True)
    assert content(folder) == expected
    for lines, seconds in [(13, 0.001), (14, 0.004), (13, 0.007)]:
        kill_after(lines, seconds, folder, pickled)
        assert {name: content(folder)[name] for name in expected} == expected  # a table is whole at any time
    run(OutputFolder(folder, html=True, parquet=True), studies, resume=True)
    assert content(folder) == expected


def test_what_is_not_ours_is_left_alone(make_study: MakeStudy, output: OutputFolder) -> None:
    run(output, [make_study(1)])
    kept = [output.path / name for name in (".profile.77", "notes.csv", ".studies.csv.bak", "studies/.DS_Store")]
    leftovers = [output.path / f"{name}.99999999" for name in (".studies.csv", ".run.json")]
    for path in kept + leftovers:
        path.touch()
    (output.path / "studies/.study-1.99999999").mkdir()
    (output.path / f"studies/.study-1.{1}").mkdir()  # of a process that runs
    run(OutputFolder(output.path), [], resume=True)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in leftovers)
    assert [path.name for path in output.path.glob("studies/.study*")] == [".study-1.1"]


def test_results_are_not_mixed_unasked(make_study: MakeStudy, output: OutputFolder) -> None:
    run(output, [make_study(1)])
    before = content(output.path)
    with pytest.raises(FilesError, match="holds results already; give --resume"):
        OutputFolder(output.path).prepare(resume=False, settings=SETTINGS)
    (output.path / "run.json").unlink()
    with pytest.raises(FilesError, match=r"but no run\.json"):
        OutputFolder(output.path).prepare(resume=True, settings=SETTINGS)
    del before["run.json"]
    assert content(output.path) == before


def test_a_folder_of_others_is_not_written_to(output: OutputFolder) -> None:
    output.path.mkdir()
    (output.path / "studies.csv").touch()
    with pytest.raises(FilesError, match="holds results already"):
        output.prepare(resume=False, settings=SETTINGS)
    assert [path.name for path in output.path.iterdir()] == ["studies.csv"]
    (output.path / "studies.csv").unlink()
    for foreign in (b"{}", b"[1]", b"\xff"):
        (output.path / "run.json").write_bytes(foreign)
        for resume in (False, True):
            with pytest.raises(FilesError, match=r"run.json was not written by panecho"):
                output.prepare(resume=resume, settings=SETTINGS)
        assert (output.path / "run.json").read_bytes() == foreign


def test_a_run_without_results_is_begun_anew(output: OutputFolder) -> None:
    output.prepare(resume=False, settings=SETTINGS)
    other = OutputFolder(output.path, html=True)
    other.prepare(resume=False, settings=SETTINGS)
    other.prepare(resume=True, settings=SETTINGS)


def test_other_settings_are_refused_with_both_values(make_study: MakeStudy, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    run(OutputFolder(folder, pseudonym_key=b"secret"), [make_study(1)])
    assert b'"secret"' not in (folder / "run.json").read_bytes().replace(b'"secret":', b"")
    with pytest.raises(FilesError, match="num_clips was 4 and is 8") as caught:
        OutputFolder(folder, pseudonym_key=b"secret").prepare(
            resume=True, settings=SETTINGS | {"num_clips": 8, "new": None}
        )
    assert "tasks" not in str(caught.value)
    with pytest.raises(
        FilesError, match=r'include_identifiers was false and is true; pseudonym_key was "sec.*" and is n'
    ):
        OutputFolder(folder, include_identifiers=True).prepare(resume=True, settings=SETTINGS)
    with pytest.raises(FilesError, match=r'pseudonym_key was "secret-.*" and is "secret-'):
        OutputFolder(folder, pseudonym_key=b"Secret").prepare(resume=True, settings=SETTINGS)
    OutputFolder(folder, pseudonym_key=b"secret").prepare(resume=True, settings=SETTINGS)


def test_failures_are_of_the_last_run_and_without_a_result(make_study: MakeStudy, output: OutputFolder) -> None:
    studies = [make_study(1), make_study(2)]
    output.prepare(resume=False, settings=SETTINGS)
    names = [output.claim(identify_files(paths_of(study)).study) for study in studies]
    for name, study in zip(names, studies, strict=True):
        output.fail(name, read_headers(paths_of(study)), ServerError("it failed."))
    output.finish()
    assert [failure.study for failure in output.failures] == sorted(names)
    assert [path.name for path in output.tables] == ["failures.csv"]
    assert (output.path / "failures.csv").read_text().count("INTERNAL,it failed.") == 2
    output.write(names[0], studies[0])
    output.finish()
    assert [failure.study for failure in output.failures] == [names[1]]
    run(OutputFolder(output.path), studies, resume=True)
    assert not (output.path / "failures.csv").exists()


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file grow above so many bytes: what a full disk does, to root too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing(make_study: MakeStudy, output: OutputFolder) -> None:
    studies = [make_study(1), make_study(2)]
    run(output, studies[:1])
    before = content(output.path)
    name = next((output.path / "studies").iterdir()).name
    with files_at_most(1000):
        for claimed, study in ((name, studies[0]), ("new", studies[1])):
            with pytest.raises(FilesError, match="File too large; make room") as caught:
                output.write(claimed, study)
            assert caught.value.paths
        with pytest.raises(FilesError, match="cannot be written: File too large"):
            output.finish()
    assert content(output.path) == before
    assert not [*output.path.glob("studies/.*")]


def test_a_file_in_the_way_is_named(make_study: MakeStudy, output: OutputFolder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FilesError, match="file cannot be written: File exists"):
        OutputFolder(tmp_path / "file").prepare(resume=False, settings=SETTINGS)
    with pytest.raises(FilesError, match="File name too long; name another"):
        OutputFolder(tmp_path / ("x" * 300)).prepare(resume=False, settings=SETTINGS)
    with pytest.raises(FilesError, match="Not a directory"):
        OutputFolder(tmp_path / "file/below").prepare(resume=False, settings=SETTINGS)
    output.prepare(resume=False, settings=SETTINGS)
    (output.path / "studies/a").write_text("kept")
    with pytest.raises(FilesError, match="studies/a cannot be written: Not a directory"):
        output.write("a", make_study(1))
    assert (output.path / "studies/a").read_text() == "kept"
    (output.path / "studies.csv").mkdir()
    write(output, make_study(2))
    with pytest.raises(FilesError, match=r"studies.csv cannot be written: Is a directory"):
        output.finish()


@pytest.mark.parametrize("damage", [b"", b"study,other\r\n", None])
def test_a_damaged_study_is_named(make_study: MakeStudy, output: OutputFolder, damage: bytes | None) -> None:
    run(output, [make_study(1), make_study(2)])
    before = (output.path / "studies.csv").read_bytes()
    *_, last = sorted((output.path / "studies").iterdir())
    (last / "study.csv").unlink()
    if damage is not None:
        (last / "study.csv").write_bytes(damage)
    with pytest.raises(FilesError, match=f"delete .*{last.name} and give --resume"):
        output.finish()
    assert (output.path / "studies.csv").read_bytes() == before


def test_a_missing_package_is_said_before_the_run(output: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    output.prepare(resume=False, settings=SETTINGS)
    with pytest.raises(RequestError, match=r"pip install './client\[reports\]'"):
        OutputFolder(output.path, sr=True).prepare(resume=False, settings=SETTINGS)


class _Predicting:
    """A server's place: answers every study with the predictions of another."""

    def __init__(self, study: StudyResult) -> None:
        self.study, self.asked = study, 0

    async def predict_study(self, files: list[Path], **_: object) -> StudyResult:
        self.asked += 1
        videos = zip(self.study.videos, files, strict=True)
        return replace(self.study, videos=tuple(replace(video, path=path) for video, path in videos))


def test_a_run_stops_at_the_first_study_that_a_full_disk_does_not_take(
    make_study: MakeStudy, output: OutputFolder
) -> None:
    studies = [make_study(number) for number in range(4)]
    panecho = _Predicting(studies[0])
    request = PredictionRequest(tasks=None, clip_options=ClipOptions(), on_error="skip", key_frames=False)
    run = ArchiveRun(panecho=panecho, folder=output, request=request, studies_at_a_time=1)  # type: ignore[arg-type]
    sources = [StudyInFiles(LocalStudy(paths_of(study))) for study in studies]
    output.prepare(resume=False, settings=SETTINGS)
    with (
        files_at_most(1000),
        pytest.raises(FilesError, match=r"studies/.* cannot be written: File too large; make room"),
    ):
        asyncio.run(run.predict(sources, lambda _: None))
    assert panecho.asked == 1
    assert not output.failures
    again = OutputFolder(output.path)
    again.prepare(resume=True, settings=SETTINGS)
    asyncio.run(replace(run, folder=again).predict(sources, lambda _: None))
    assert len([*output.path.glob("studies/study-*")]) == 4


def test_a_disk_without_room_is_said_before_the_run(output: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panecho_client._archive.output_folder.LEAST_FREE", 1 << 60)
    with pytest.raises(FilesError, match=r"MiB are free on its disk, and a run needs at least"):
        output.prepare(resume=False, settings=SETTINGS)
