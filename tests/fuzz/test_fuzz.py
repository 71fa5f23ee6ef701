"""A short run of the fuzz target, and proof that it would notice what it looks for."""

from pathlib import Path

import pytest

from fuzz.fuzz_preprocessing import FuzzSettings, fuzz, main, replay
from fuzz.mutations import make_input
from fuzz.seeds import all_seeds
from fuzz.workers import CallLimits, Offence, preprocess
from panecho_preprocessing import VideoError, VideoErrorCode

LIMITS = CallLimits(seconds=1, memory=50 << 20)
FAULTS = {
    "crashes": Offence.CRASH,
    "hangs": Offence.HANG,
    "raises": Offence.EXCEPTION,
    "exits": Offence.EXCEPTION,
    "swells": Offence.MEMORY,
}


def test_broken_files_end_in_clips_or_a_video_error() -> None:
    summary = fuzz(FuzzSettings(count=150, seconds=120, workers=1))

    assert not summary.offences
    assert summary.counts.total() == 150
    assert summary.counts["ok"] > 10
    assert len(set(summary.counts) & {*VideoErrorCode}) > 5


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_noticed_and_saved_for_replay(fault: str, tmp_path: Path) -> None:
    bad = FuzzSettings(count=2, workers=1, target=f"fuzz.bad_targets:{fault}", limits=LIMITS, folder=tmp_path)

    summary = fuzz(bad)

    assert summary.counts == {FAULTS[fault]: 2}
    saved = tmp_path / "0-1.bin"
    assert saved.read_bytes() == make_input(0, 1).data
    assert make_input(0, 1).recipe in saved.with_suffix(".txt").read_text(encoding="utf-8")
    assert replay(saved, bad).kind == FAULTS[fault]


def test_command_fails_exactly_when_an_input_did_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--count", "3", "--workers", "1", "--folder", str(tmp_path)]

    assert main(common) == 0
    assert main([*common, "--limit-mib", "0"]) == 1
    assert "memory" in capsys.readouterr().out
    assert main(["--replay", str(next(tmp_path.glob("*.bin")))]) == 0


def test_an_input_depends_on_seed_and_index_alone() -> None:
    assert make_input(7, 3) == make_input(7, 3)
    assert len({make_input(seed, index).data for seed in (7, 8) for index in range(20)}) > 35


@pytest.mark.parametrize("name", [seed.name for seed in all_seeds()])
def test_intact_files_are_read_or_refused_by_name(name: str) -> None:
    data = {seed.name: seed.data for seed in all_seeds()}[name]
    made_here = not name.endswith((".dcm", ".mpeg"))

    try:
        preprocess(data, {"num_clips": 1, "clip_length": 2})
    except VideoError:
        assert not made_here
