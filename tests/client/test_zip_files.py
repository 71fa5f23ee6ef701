"""ZIP archives as studies: DICOMDIR, hidden and stray files, and archives that are broken or hostile."""

import zipfile
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet

from panecho_client import ClipOptions, FilesError, PanEcho, find_files
from panecho_client._files.file_bytes import read_files
from panecho_server import TritonServer


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in ("b/IM2", "a/IM1", "IM0", "b/.DS_Store", "__MACOSX/b/._IM2", ".hidden/x"):
            opened.writestr(name, f"content of {name}")
        opened.mkdir("empty")
    return path


def test_members_are_files_of_the_study(archive: Path) -> None:
    found = find_files(archive)
    assert [str(path.relative_to(archive)) for path in found.files] == ["IM0", "a/IM1", "b/IM2"]
    assert {(left.path.name, left.reason) for left in found.left_out} == {
        (".DS_Store", "hidden"),
        ("._IM2", "hidden"),
        ("x", "hidden"),
    }
    data, sizes = read_files(found.files)
    assert data.tobytes() == b"content of IM0content of a/IM1content of b/IM2"
    assert sizes.tolist() == [14, 16, 16]


def test_archive_in_a_folder_and_member_by_name(archive: Path) -> None:
    (archive.parent / "IM9").write_bytes(b"nine")
    assert [path.name for path in find_files(archive.parent).files] == ["IM9", "IM0", "IM1", "IM2"]
    (named,) = find_files(archive / "a/IM1").files
    assert read_files([named])[0].tobytes() == b"content of a/IM1"
    with pytest.raises(FilesError, match="IM7 cannot be read: no such member"):
        read_files([archive / "IM7"])


def test_documents_that_are_zip_inside_stay_one_file(archive: Path) -> None:
    document = archive.rename(archive.with_name("letter.docx"))
    assert find_files(document).files == (document,)


def test_what_only_calls_itself_zip_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")
    assert find_files(tmp_path).files == (tmp_path / "a.zip",)


def test_names_cannot_leave_the_archive(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        for name in ("../secret", str(tmp_path / "secret"), "..\\secret"):
            opened.writestr(name, "harmless")
    files = find_files(tmp_path / "a.zip").files
    assert all((tmp_path / "a.zip") in path.parents and ".." not in path.parts for path in files)
    assert b"secret" not in read_files(files)[0].tobytes()


def test_a_damaged_member_is_named(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[data.index(b"a/IM1") + 6] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(FilesError, match=r"study\.zip/a/IM1 cannot be read") as caught:
        read_files(find_files(archive).files)
    assert caught.value.paths == (archive / "a/IM1",)


def test_an_encrypted_member_is_left_out(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"a/IM1"))
    data[entry + 8] |= 1
    archive.write_bytes(data)
    assert [left.reason for left in find_files(archive).left_out if left.path.name == "IM1"] == [
        "encrypted in its ZIP file"
    ]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    zeros = bytes(1 << 20)
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened,
        opened.open("zeros", "w", force_zip64=True) as member,
    ):
        for _ in range(2100):
            member.write(zeros)
    with pytest.raises(FilesError, match=r"2\.20 GB.*leave some out"):
        read_files(find_files(tmp_path / "a.zip").files)


def medium(folder: Path, cine: Path) -> Path:
    """A medium as a scanner burns it: DICOMDIR, the cine below it, and what systems leave there."""
    file_set = FileSet()
    dataset = dcmread(cine)
    dataset.PatientID, dataset.PatientName, dataset.StudyID, dataset.SeriesNumber = "1", "A", "1", 1
    dataset.StudyDate, dataset.StudyTime, dataset.InstanceNumber = "20200101", "120000", 1
    file_set.add(dataset)
    file_set.write(folder)
    (folder / "README.TXT").write_text("viewer")
    (folder / ".DS_Store").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_medium_with_dicomdir_is_a_study(
    zipped: bool,  # noqa: FBT001 - a parameter of the test
    server: TritonServer,
    cine: Path,
    tmp_path: Path,
) -> None:
    folder = medium(tmp_path / "medium", cine)
    if zipped:
        with zipfile.ZipFile(tmp_path / "medium.zip", "w") as opened:
            for path in folder.rglob("*"):
                opened.write(path, path.relative_to(folder))
        folder = tmp_path / "medium.zip"
    with PanEcho(server.grpc_url) as panecho:
        study = panecho.predict_study(folder, tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=2))
    statuses = {video.path.name: video.status.split(":")[0] for video in study.videos}
    assert statuses.pop("DICOMDIR") == "DICOMDIR"
    assert statuses.pop("README.TXT") == "NOT_A_VIDEO"
    assert list(statuses.values()) == ["ok"]
