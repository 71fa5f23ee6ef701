"""What servers leave that were killed, and what a server that starts makes of it."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from panecho_server.command import ServerFolder
from panecho_server.leftovers import FOLDER_PREFIX, LOCK, remove_leftovers
from panecho_server.shared_memory import FOLDER, SharedMemory
from support.serve import Serve, running_serve

HOLDER = """
import signal, sys
from panecho_server.command import ServerFolder
from panecho_server.shared_memory import SharedMemory
folder = ServerFolder(SharedMemory(prefix=sys.argv[1]))
print(folder.path, flush=True)
signal.pause()
"""


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def memory() -> SharedMemory:
    """Shared memory with one region."""
    found = SharedMemory()
    (FOLDER / f"{found.prefix}python_1").write_bytes(b"a study")
    return found


def test_only_what_nobody_holds_is_removed(memory: SharedMemory, temporary_folder: Path) -> None:
    command = [sys.executable, "-c", HOLDER, memory.prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        folder = Path(holder.stdout.readline().strip())
        remove_leftovers()
        assert (folder.parent, (folder / LOCK).read_text()) == (temporary_folder, memory.prefix)
        assert len(memory.regions()) == 1
        holder.kill()
    remove_leftovers()
    assert (folder.exists(), memory.regions()) == (False, set())


def test_a_process_of_the_server_holds_it_too(memory: SharedMemory) -> None:
    folder = ServerFolder(memory)
    with subprocess.Popen(["/bin/sleep", "60"], pass_fds=[folder.lock.fileno()]) as child:
        folder.lock.close()
        remove_leftovers()
        assert folder.path.exists()
        child.kill()
    remove_leftovers()
    assert (folder.path.exists(), memory.regions()) == (False, set())


def test_what_is_not_a_servers_stays(temporary_folder: Path) -> None:
    """A folder that has no lock yet, a link, and a lock that names other memory."""
    (temporary_folder / f"{FOLDER_PREFIX}new").mkdir()
    (temporary_folder / "elsewhere").mkdir()
    (temporary_folder / "elsewhere" / LOCK).touch()
    (temporary_folder / f"{FOLDER_PREFIX}link").symlink_to(temporary_folder / "elsewhere")
    other = temporary_folder / f"{FOLDER_PREFIX}other"
    other.mkdir()
    (other / LOCK).write_text("*")
    victim = FOLDER / f"{temporary_folder.name}-victim"
    victim.touch()
    remove_leftovers()
    assert victim.exists()
    victim.unlink()
    left = {path.name for path in temporary_folder.iterdir()}
    assert left == {f"{FOLDER_PREFIX}new", f"{FOLDER_PREFIX}link", "elsewhere"}


@pytest.mark.slow
def test_the_next_server_removes_what_a_killed_one_has_left(
    cold_repository: Path, tmp_path: Path, temporary_folder: Path
) -> None:
    (tmp_path / "killed").mkdir()
    killed = Serve(cold_repository, tmp_path / "killed")
    killed.wait_until_ready()
    (folder,) = temporary_folder.glob(f"{FOLDER_PREFIX}*")
    memory = SharedMemory(prefix=(folder / LOCK).read_text())
    assert memory.regions()
    for process in [psutil.Process(killed.process.pid), *killed.family()]:
        process.send_signal(signal.SIGKILL)
    killed.process.wait()
    (tmp_path / "next").mkdir()
    with running_serve(cold_repository, tmp_path / "next") as running:
        assert (folder.exists(), memory.regions()) == (False, set())
        assert len([*temporary_folder.glob(f"{FOLDER_PREFIX}*")]) == 1
        assert running.process.poll() is None
    remove_leftovers()  # of the server that was killed at the end


def test_the_folder_of_a_deep_temporary_folder_is_found_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    folder = ServerFolder(SharedMemory())
    assert folder.path.parent == Path("/tmp")  # noqa: S108 - there
    folder.lock.close()
    remove_leftovers()
    assert not folder.path.exists()
