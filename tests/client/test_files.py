import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from panecho_client import FilesError, find_files
from panecho_client._contract import MAX_STUDY_BYTES
from panecho_client._files.file_bytes import read_files

NOBODY = 65534


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_folder_gives_everything_below_sorted(tmp_path: Path) -> None:
    paths = [write(tmp_path / name) for name in ("a.dcm", "b/IM0001", "b/c/z.avi")]
    assert sorted(find_files(tmp_path).files) == paths
    assert find_files(tmp_path).files == find_files([tmp_path]).files == find_files(str(tmp_path)).files


def test_files_keep_the_order_given(tmp_path: Path) -> None:
    first, second = write(tmp_path / "b"), write(tmp_path / "a")
    assert find_files([first, second]).files == (first, second)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    kept = write(tmp_path / "a.dcm")
    write(tmp_path / ".DS_Store")
    write(tmp_path / ".git/config")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "other").symlink_to(tmp_path)
    found = find_files([tmp_path, kept])
    assert found.files == (kept,)
    assert {(left_out.path.name, left_out.reason) for left_out in found.left_out} == {
        (".DS_Store", "hidden"),
        ("config", "hidden"),
        ("pipe", "not a regular file"),
        ("other", "link to a folder that holds it"),
        ("a.dcm", "named twice"),
    }


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    studies, elsewhere = tmp_path / "studies", tmp_path / "elsewhere"
    real = write(studies / "real/a.dcm")
    inner = write(elsewhere / "one/b.dcm")
    write(elsewhere / "two/c.dcm")
    for name, target in {
        "1": elsewhere / "one",
        "2": elsewhere,  # what of it was not read yet
        "again": elsewhere / "one",
        "first": real.parent,  # a folder is read under its own name
        "root": studies,
        "up": tmp_path,
    }.items():
        (studies / name).symlink_to(target)
    (elsewhere / "one/back").symlink_to(elsewhere)
    (elsewhere / "two/loop").symlink_to(elsewhere / "two/loop")
    (studies / ".hidden").mkdir()
    (studies / ".hidden/link").symlink_to("/usr")
    found = find_files(studies)
    assert found.files == (real, studies / "1/b.dcm", studies / "2/two/c.dcm")
    assert {(str(left_out.path.relative_to(studies)), left_out.reason) for left_out in found.left_out} == {
        ("1/back", "link to a folder that holds it"),
        ("2/two/loop", "not a regular file"),
        ("again", "link to a folder that was read already"),
        ("first", "link to a folder that was read already"),
        (".hidden/link", "hidden"),
        ("root", "link to a folder that holds it"),
        ("up", "link to a folder that holds it"),
    }
    assert find_files([studies / "1", studies / "again"]).files == (studies / "1/b.dcm",)
    assert find_files(inner).files == (inner,)


def test_hidden_file_that_is_named_is_sent(tmp_path: Path) -> None:
    hidden = write(tmp_path / ".a.dcm")
    assert find_files(hidden).files == (hidden,)


def test_folder_below_a_hidden_one_is_not_hidden(tmp_path: Path) -> None:
    path = write(tmp_path / ".cache/study/a.dcm")
    assert find_files(tmp_path / ".cache/study").files == (path,)


@pytest.mark.parametrize("given", [[], ["missing.dcm"], ["empty"], ["hidden"], ["pipe"]])
def test_nothing_to_send_is_an_error(tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "hidden/.a.dcm")
    os.mkfifo(tmp_path / "pipe")
    paths = [tmp_path / name for name in given]
    with pytest.raises(FilesError) as caught:
        find_files(paths)
    assert caught.value.paths == tuple(paths)
    assert all(str(path) in str(caught.value) for path in paths)


def test_files_are_read_one_after_another(tmp_path: Path) -> None:
    files = [write(tmp_path / "a", b"abc"), write(tmp_path / "b", b""), write(tmp_path / "c", b"de")]
    video_bytes, video_sizes = read_files(files)
    assert video_bytes.dtype == np.uint8
    assert video_sizes.dtype == np.int64
    assert video_bytes.tobytes() == b"abcde"
    assert video_sizes.tolist() == [3, 0, 2]


def test_too_large_is_refused_before_reading(tmp_path: Path) -> None:
    large = tmp_path / "large.avi"
    with large.open("wb") as file:
        file.truncate(MAX_STUDY_BYTES + 1)  # sparse: takes no room
    with pytest.raises(FilesError, match=r"2\.15 GB.*leave some out"):
        read_files([large])


def test_file_that_vanished_is_named(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match=r"gone\.dcm cannot be read") as caught:
        read_files([tmp_path / "gone.dcm"])
    assert caught.value.paths == (tmp_path / "gone.dcm",)


def test_file_that_grew_is_not_cut() -> None:
    with pytest.raises(FilesError, match="changed while it was read"):
        read_files([Path("/proc/self/status")])  # says that it holds 0 bytes


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder of somebody who may not read everything, as root may."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
    if root:
        os.seteuid(0)


def test_what_may_not_be_read_is_named(own_folder: Path) -> None:
    secret = write(own_folder / "folder/a.dcm")
    secret.chmod(0)
    with pytest.raises(FilesError, match="Permission denied") as caught:
        read_files([secret])
    assert (caught.value.code, caught.value.paths) == ("PERMISSION_DENIED", (secret,))
    secret.parent.chmod(0)
    for path in (secret, secret.parent, own_folder):
        with pytest.raises(FilesError, match="Permission denied"):
            find_files(path)
    secret.parent.chmod(0o700)
