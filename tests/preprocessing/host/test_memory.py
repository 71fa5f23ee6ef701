from pathlib import Path

import pytest

from panecho_preprocessing.host.memory import Memory, read_memory

MACHINE = Memory(total=9999 << 10, available=1000 << 10)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A /proc of a machine with 1000 KiB left; its groups are written by each test."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal:  9999 kB\nMemFree:  10 kB\nMemAvailable:  1000 kB\n")
    return tmp_path


def seen(system: Path, groups: str) -> Memory | None:
    (system / "proc/self/cgroup").write_text(groups)
    return read_memory(system / "proc", system / "cgroup")


def group(folder: Path, limit: str, use: int, files: int, *, version: int = 2) -> None:
    names = {1: ("limit_in_bytes", "usage_in_bytes", "total_"), 2: ("max", "current", "")}[version]
    folder.mkdir(parents=True)
    (folder / f"memory.{names[0]}").write_text(f"{limit}\n")
    (folder / f"memory.{names[1]}").write_text(f"{use}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]}inactive_file {files - 10}\n{names[2]}active_file 10\n")


def test_this_machine_has_some() -> None:
    memory = read_memory()
    assert memory is not None
    assert 1 << 20 < memory.available <= memory.total


def test_without_limits_it_is_the_machines(system: Path) -> None:
    assert seen(system, "0::/\n") == MACHINE
    group(system / "cgroup/pod", "max", 900, 10)
    assert seen(system, "0::/pod\n") == MACHINE


def test_it_is_what_the_container_leaves_and_its_cached_files(system: Path) -> None:
    group(system / "cgroup/pod", "1000", 900, 50)
    assert seen(system, "0::/pod\n") == (1000, 150)


def test_a_group_around_it_may_leave_less(system: Path) -> None:
    group(system / "cgroup/pod", "1000", 960, 10)
    group(system / "cgroup/pod/container", "500", 200, 10)
    assert seen(system, "0::/pod/container\n") == (500, 50)


def test_a_container_that_sees_its_own_group_as_the_root(system: Path) -> None:
    group(system / "cgroup", "1000", 910, 10)
    assert seen(system, "0::/kubepods/pod\n") == (1000, 100)


def test_older_groups(system: Path) -> None:
    group(system / "cgroup/memory/pod", "1000", 1100, 300, version=1)
    assert seen(system, "5:devices:/x\n4:memory:/pod\n0::/\n") == (1000, 200)
    group(system / "cgroup/memory/full", "1000", 1100, 10, version=1)
    assert seen(system, "4:memory:/full\n") == (1000, 0)


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert read_memory(tmp_path, tmp_path) is None
