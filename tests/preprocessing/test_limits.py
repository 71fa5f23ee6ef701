from pathlib import Path

import pytest

from panecho_preprocessing import ClipOptions, Limits, VideoError, available_cores, threads_per_instance, video_clips


def test_a_configuration_changes_some_limits() -> None:
    limits = Limits.from_parameters({"max_clips": "128", "max_frame_pixels": "100000"})
    assert limits == Limits(max_frame_pixels=100_000)


@pytest.mark.parametrize("value", ["0", "-1", "many", "", "1.5"])
def test_a_limit_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=f"^max_video_frames='{value}': must be a whole number above 0$"):
        Limits.from_parameters({"max_video_frames": value})


def test_the_limit_holds(sonosite: bytes) -> None:
    with pytest.raises(VideoError, match=r"^TOO_LARGE: frames of 320 x 240 pixels are over the limit of 76799 pixels$"):
        video_clips(sonosite, ClipOptions(), limits=Limits(max_frame_pixels=76_799))
    assert len(video_clips(sonosite, ClipOptions(), limits=Limits(max_frame_pixels=76_800))) == 4


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("", None)]
)
def test_cores_are_those_of_the_container(quota: str, cores: int | None, tmp_path: Path) -> None:
    everything = available_cores(tmp_path / "missing")
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert available_cores(tmp_path / "cpu.max") == (cores or everything)


def test_instances_share_the_cores() -> None:
    assert threads_per_instance(1) == available_cores()
    assert threads_per_instance(10_000) == 1
