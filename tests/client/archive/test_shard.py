"""Shards of an archive: each study in just one of them, index, and tables that are joined without losing any."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from panecho_client import FilesError, NoUsableVideoError, ServerError, StudyResult
from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.shard import Shard, read_index, write_index
from panecho_client._archive.shard_merge import find_parts, merge, note_finished
from panecho_client._archive.study_source import StudyInFiles, StudySource
from panecho_client._identity.headers import SopInstance
from panecho_client.sources import LocalStudy
from support.output_runs import SETTINGS, MakeStudy, paths_of


def test_every_study_is_in_one_shard_whatever_else_there_is() -> None:
    names = [f"study-{number:016x}" for number in range(3000)]
    shards = [Shard(index, 3) for index in range(3)]
    held = [[shard.index for shard in shards if shard.holds(name)] for name in names]
    assert all(len(indices) == 1 for indices in held)
    assert all(900 < sum(indices == [shard.index] for indices in held) < 1100 for shard in shards)
    # For good: a later version that shared otherwise would predict studies twice, and others never.
    assert [index for index in range(8) if Shard(index, 8).holds("study-5b0c1f3f4a2e9d10")] == [4]
    assert Shard(0, 1).holds("study-5b0c1f3f4a2e9d10")


@pytest.mark.parametrize("text", ["", "1", "3/3", "0/0", "-1/3", "1/3/4", "a/b", "1/ 3", "²/3"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        Shard.parse(text)
    assert str(Shard.parse("2/3")) == "2/3"


def paths(sources: list[StudySource]) -> list[tuple[Path, ...]]:
    return [source.study.paths for source in sources if isinstance(source, StudyInFiles)]


def test_an_index_gives_back_the_studies(make_study: MakeStudy, tmp_path: Path) -> None:
    studies = [tuple(paths_of(make_study(number))) for number in range(6)]
    odd = tmp_path / os.fsdecode(b'odd, "\xff\n') / "a.avi"
    odd.parent.mkdir()
    odd.write_bytes(b"RIFF\0\0\0\0AVI ")
    twin = odd.with_name("twin.avi")
    twin.write_bytes(odd.read_bytes())
    studies += [(odd,), (twin,)]  # two studies of one name
    index = tmp_path / "index.csv"
    assert list(write_index(index, map(LocalStudy, studies))) == list(range(1, 9))
    assert paths(read_index(index)) == studies
    shards = [Shard(index, 3) for index in range(3)]
    parts = [paths(read_index(index, shard)) for shard in shards]
    assert parts == [paths(shard.take(read_index(index))) for shard in shards]
    assert sum(map(len, parts)) == len(studies)
    assert sum(map(bool, parts)) > 1
    assert {study for part in parts for study in part} == set(studies)
    assert any((odd,) in part and (twin,) in part for part in parts)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "study,path\na,b\n",
        "number,study,path\n0,a\n",
        "number,study,path\nx,a,b\n",
        "number,study,path\n1,a,b\n",
        'number,study,path\n0,a,"b\n',
    ],
)
def test_what_is_no_index(content: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(FilesError, match=r"m\.csv is not an index, or is damaged; write it again: panecho index"):
        read_index(tmp_path / "m.csv")


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="cannot be read: No such file"):
        read_index(tmp_path / "m.csv")


NAMES = tuple(f"study-{number}" for number in range(7))


@pytest.fixture
def shards(make_study: MakeStudy, tmp_path: Path) -> list[Path]:
    """Three shards of seven studies, one that failed and one without a cine; ``whole`` is the single run of all."""
    studies = {name: make_study(number) for number, name in enumerate(NAMES)}
    whole = write_run(tmp_path / "whole", studies, failed=True, still=True)
    assert len(list(whole.iterdir())) == 8
    folders = []
    for index in range(3):
        held = dict(list(studies.items())[index::3])
        folder = write_run(
            tmp_path / "shards" / str(index), held, failed=index == 1, still=index == 0, shard=f"{index}/3"
        )
        note_finished(folder)
        folders.append(folder)
    return folders


def write_run(
    folder: Path, studies: dict[str, StudyResult], *, failed: bool, still: bool = False, shard: str | None = None
) -> Path:
    output = OutputFolder(folder, parquet=True)
    output.prepare(resume=False, settings=SETTINGS | ({"shard": shard} if shard else {}))
    for name, study in reversed(studies.items()):
        output.write(output.claim(name), study)
    if failed:
        output.fail(
            "study-gone", [SopInstance(path=folder / "gone.dcm")], ServerError("the model failed", code="INTERNAL")
        )
    if still:
        error = NoUsableVideoError("no file of this study could be used: video_sizes[0]: NOT_A_CINE: one frame")
        output.fail("study-still", [], error, without_cine=True)
    output.finish()
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".parquet")}


def test_merged_tables_are_those_of_a_single_run(shards: list[Path], tmp_path: Path) -> None:
    merged = merge(shards[::-1], tmp_path / "merged")
    assert [path.name for path in merged.tables] == [
        "studies.csv",
        "predictions.csv",
        "predictions.parquet",
        "dictionary.csv",
        "without_cine.csv",
        "failures.csv",
    ]
    assert merged.summary == "3 shards: 7 of 9 studies predicted, 1 failed, 1 without a cine (nothing to predict)."
    made, expected = tables(tmp_path / "merged"), tables(tmp_path / "whole")
    names = [made.pop("failures.csv"), expected.pop("failures.csv")]
    assert made == expected
    assert all(b"study-gone,video-" in content and b",INTERNAL,the model failed" in content for content in names)


def test_merging_again_replaces(shards: list[Path], tmp_path: Path) -> None:
    for _ in range(2):
        merge(shards, tmp_path / "merged")
    assert (tmp_path / "merged/studies.csv").read_bytes() == (tmp_path / "whole/studies.csv").read_bytes()


def test_shards_are_found_below_a_folder(shards: list[Path], tmp_path: Path) -> None:
    assert find_parts([tmp_path / "shards"]) == shards
    assert find_parts(shards[1:]) == shards[1:]
    with pytest.raises(FilesError, match="holds no --output"):
        find_parts([tmp_path / "nowhere"])


def unfinished(shards: list[Path]) -> None:
    (shards[2] / "shard.json").unlink()


def lost_a_study(shards: list[Path]) -> None:
    shutil.rmtree(shards[2] / "studies/study-5")


def lost_failures(shards: list[Path]) -> None:
    (shards[1] / "failures.csv").unlink()


def other_settings(shards: list[Path]) -> None:
    settings = json.loads((shards[2] / "run.json").read_text())
    (shards[2] / "run.json").write_text(json.dumps(settings | {"num_clips": 5, "tasks": "EF"}))


def other_count(shards: list[Path]) -> None:
    settings = json.loads((shards[2] / "run.json").read_text())
    (shards[2] / "run.json").write_text(json.dumps(settings | {"shard": "2/4"}))


def no_shard(shards: list[Path]) -> None:
    settings = json.loads((shards[2] / "run.json").read_text())
    del settings["shard"]
    (shards[2] / "run.json").write_text(json.dumps(settings))


def not_ours(shards: list[Path]) -> None:
    (shards[2] / "run.json").write_text("[")


def missing(shards: list[Path]) -> None:
    del shards[1]


def twice(shards: list[Path]) -> None:
    shards[1] = shards[0]


def study_in_two(shards: list[Path]) -> None:
    shutil.copytree(shards[0] / "studies/study-0", shards[1] / "studies/study-0")
    note_finished(shards[1])


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (unfinished, r"shards/2 \(shard 2/3\) was not run to its end; run that shard again with --resume"),
        (lost_a_study, r"shards/2 \(shard 2/3\) holds 1 of 2 studies; run that shard again"),
        (lost_failures, r"shards/1 \(shard 1/3\) holds 2 of 3 studies"),
        (other_settings, "different num_clips, tasks"),
        (other_count, "shards of different runs: .*shards/2 is 2/4"),
        (no_shard, "shards/2 is not the --output of a run with --shard"),
        (not_ours, r"run\.json was not written by panecho"),
        (missing, "shard 1/3 is missing; give the folder of every shard once"),
        (twice, "shard 0/3 is there twice, shard 1/3 is missing"),
        (study_in_two, "study-0 is in several shards"),
    ],
)
def test_nothing_is_merged_that_is_not_whole(
    break_it: Callable[[list[Path]], None], said: str, shards: list[Path], tmp_path: Path
) -> None:
    break_it(shards)
    with pytest.raises(FilesError, match=said):
        merge(shards, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_empty_shard_is_no_fault(make_study: MakeStudy, tmp_path: Path) -> None:
    parts = []
    for index in range(2):
        studies = {"study-1": make_study(1)} if index else {}
        parts.append(write_run(tmp_path / str(index), studies, failed=False, shard=f"{index}/2"))
        note_finished(parts[-1])
    assert merge(parts, tmp_path / "merged").studies == 1
    assert (tmp_path / "merged/studies.csv").read_bytes() == (tmp_path / "1/studies.csv").read_bytes()


def test_a_shard_that_was_empty_takes_a_study_later(make_study: MakeStudy, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "shard")
    folder.prepare(resume=True, settings={"shard": "0/2"})  # run without a server, which would know the weights
    later = OutputFolder(tmp_path / "shard")
    later.prepare(resume=True, settings={"shard": "0/2", "tasks": "EF"})
    later.write(later.claim("study"), make_study(1))
    with pytest.raises(FilesError, match="was started with other settings: tasks was"):
        OutputFolder(tmp_path / "shard").prepare(resume=True, settings={"shard": "0/2", "tasks": "LVSize"})
