"""Files into studies: by StudyInstanceUID, by folder, in archives and on media."""

import io
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from panecho_client import RequestError, find_files
from panecho_client.sources import LocalStudy, VideoStudies, group_studies
from panecho_client.sources.grouping import count_studies
from panecho_preprocessing.container import is_video

AVI = b"RIFF\0\0\0\0AVI LIST"
ULTRASOUND_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
MP4 = b"\0\0\0\x18ftypmp42"

if TYPE_CHECKING:
    from panecho_client._files.found_files import LeftOut

Write = Callable[..., Path]
Groups = tuple[LocalStudy, ...]


def dicom(
    uid: str | None,
    syntax: UID = ExplicitVRLittleEndian,
    sop_class: str = ULTRASOUND_CINE,
    padding: int = 0,
) -> bytes:
    """A small DICOM file of a study, with so many bytes before its UID."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientName = sop_class, "1.2.3.4", "Doe^Jane"
    if uid is not None:
        dataset.StudyInstanceUID = uid
    if padding:
        dataset.add_new(0x00091010, "OB", bytes(padding))
    dataset.add_new("PixelData", "OB", bytes(64))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    with io.BytesIO() as buffer:
        dcmwrite(buffer, dataset, enforce_file_format=True)
        return buffer.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def names(studies: Groups) -> list[list[str]]:
    return [[path.name for path in study.paths] for study in studies]


def grouped(root: Path) -> Groups:
    return group_studies(find_files(root).files)


def test_studies_of_one_folder_are_told_apart_in_order(write: Write, tmp_path: Path) -> None:
    for name, uid in (("a", "1.2.2"), ("b", "1.2.1"), ("c", "1.2.2")):
        write(name, dicom(uid))
    studies = grouped(tmp_path)
    assert names(studies) == [["a", "c"], ["b"]]
    assert [[header.path for header in study.headers] for study in studies] == [[*study.paths] for study in studies]


def test_headers_of_a_study_share_their_texts(write: Write, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(name, dicom("1.2.1"))
    first, second = grouped(tmp_path)[0].headers
    assert first.patient_name == "Doe^Jane"
    assert first.patient_name is second.patient_name
    assert first.study_instance_uid is second.study_instance_uid


def test_studies_are_counted_by_their_uids(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write("a", dicom("1.2.1")), write("b", dicom("1.2.1")), write("c", dicom("1.2.2")), write("d.avi", AVI)]
    assert [count_studies(files[:count])[0] for count in range(5)] == [0, 1, 1, 2, 3]
    assert [header.study_instance_uid for header in count_studies(files)[1]] == ["1.2.1", "1.2.1", "1.2.2", None]
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(RequestError, match="pip install"):
        group_studies(files)


def test_videos_of_several_patients_are_counted_without_pydicom(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write("a.avi", AVI), write("b.avi", AVI), write("FileList.csv", b"FileName,EF\n")]
    monkeypatch.setattr("panecho_client.sources.grouping.find_spec", lambda _: None)
    assert count_studies(files) == (2, ())
    assert count_studies(files, videos=VideoStudies.parse("folder"))[0] == 1


def test_the_same_study_in_two_folders_is_one(write: Write, tmp_path: Path) -> None:
    write("a/1", dicom("1.2.1"))
    write("b/2", dicom("1.2.1"))
    assert names(grouped(tmp_path)) == [["1", "2"]]


def test_what_lies_beside_one_study_belongs_to_it(write: Write, tmp_path: Path) -> None:
    write("p/1.dcm", dicom("1.2.1"))
    write("p/2.avi", AVI)
    write("p/3.txt", b"notes")
    write("p/4.dcm", dicom(None))
    assert names(grouped(tmp_path)) == [["1.dcm", "2.avi", "3.txt", "4.dcm"]]


def test_what_lies_beside_two_studies_is_by_itself(write: Write, tmp_path: Path) -> None:
    for name, content in (("1", dicom("1.2.1")), ("2", dicom("1.2.2")), ("3.avi", AVI)):
        write(f"both/{name}", content)
    studies = grouped(tmp_path)
    assert names(studies) == [["1"], ["2"], ["3.avi"]]


ECHONET = ("Videos/0X1.avi", "Videos/0X2.avi", "Videos/0X3.avi")


def test_a_folder_of_videos_is_a_study_per_video(write: Write, tmp_path: Path) -> None:
    """EchoNet-Dynamic: videos of many patients, and a table, which is no failed study."""
    for name in ECHONET:
        write(name, AVI)
    write("FileList.csv", b"FileName,EF\n0X1,60\n")
    write("Videos/thumbs.png", b"\x89PNG\r\n\x1a\n\0")
    left_out: list[LeftOut] = []
    studies = group_studies(find_files(tmp_path).files, on_left_out=left_out.append)
    assert names(studies) == [["0X1.avi"], ["0X2.avi"], ["0X3.avi"]]
    assert [(file.path.name, file.reason) for file in left_out] == [
        ("FileList.csv", "neither DICOM nor a video"),
        ("thumbs.png", "neither DICOM nor a video"),
    ]


def test_a_damaged_video_is_no_stray_file(write: Write, tmp_path: Path) -> None:
    for name, content in (("0.avi", b""), ("1.avi", b"cut"), ("IM1", b"\0cut"), ("2.840.1", b"\x00\x01")):
        write(name, content)
    assert sorted(names(grouped(tmp_path))) == [["0.avi"], ["1.avi"], ["2.840.1"], ["IM1"]]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("file", [["0X1.avi"], ["0X2.avi"], ["0X3.avi"]]),
        ("folder", [["0X1.avi", "0X2.avi", "0X3.avi"]]),
        (r"0X[12]|0X3", [["0X1.avi"], ["0X2.avi"], ["0X3.avi"]]),
        (r"(0X)\d", [["0X1.avi", "0X2.avi", "0X3.avi"]]),
        ("table.csv", [["0X1.avi", "0X3.avi"], ["0X2.avi"]]),
        ("FileList.csv", [["0X1.avi"], ["0X2.avi"], ["0X3.avi"]]),
    ],
)
def test_what_makes_a_study_of_videos_can_be_said(
    write: Write, tmp_path: Path, rule: str, expected: list[list[str]]
) -> None:
    videos = [write(name, AVI) for name in ECHONET]
    write("table.csv", "\ufefffile,study\r\n0x1.AVI,one\r\n0X2,two\r\nVideos/0X3.avi,one\r\n".encode())
    write("FileList.csv", b"FileName,EF\n0X1,60\n0X2,50\n0X3,40\n")
    parsed = VideoStudies.parse(str(tmp_path / rule) if rule.endswith("csv") else rule)
    assert names(group_studies(videos, videos=parsed)) == expected


def test_a_video_that_a_rule_does_not_name_is_an_error(write: Write, tmp_path: Path) -> None:
    video = write("0X1.avi", AVI)
    write("table.csv", b"file,study\n0X2,two\n")
    for rule in (r"patient(\d+)", str(tmp_path / "table.csv")):
        with pytest.raises(RequestError, match=r"0X1\.avi is not named by the (pattern|table)"):
            group_studies([video], videos=VideoStudies.parse(rule))
    with pytest.raises(RequestError, match="regular expression"):
        VideoStudies.parse("patient(")
    write("other.csv", b"name,EF\n")
    with pytest.raises(RequestError, match="has no column file"):
        VideoStudies.parse(str(tmp_path / "other.csv"))


def test_a_video_above_a_study_may_be_of_another_patient(write: Write, tmp_path: Path) -> None:
    write("0.avi", AVI)
    write("0.txt", b"notes")
    write("patient/1", dicom("1.2.1"))
    assert names(grouped(tmp_path)) == [["0.avi"], ["0.txt", "1"]]


@pytest.mark.parametrize(
    "start",
    [
        AVI,
        MP4,
        b"#EXTftypM3U",
        b"\0\0\0\x08wide\0\0\1\0mdat",
        b"\0\0\1\0moov",
        b"\x08\0\0\0mdat",
        b"\t\0\0\0mdat",
        b"\0\0\0\x18typf",
        b"RIFF\x00\x10\x00\x00WAVE",
        b"\x00\x00\x01\xba",
        b"\x00\x00\x01\xb3",
        b"G" + bytes(187) + b"G" + bytes(187) + b"G",
        b"G" + bytes(187) + b"G" + bytes(187) + b"X",
        b"GGG",
        b"notes",
    ],
)
def test_the_client_calls_video_what_the_server_reads_as_video(write: Write, tmp_path: Path, start: bytes) -> None:
    content = start + bytes(1000)
    write("0", content)
    write("patient/1", dicom("1.2.1"))
    separate = [["0"], ["1"]]
    assert names(grouped(tmp_path)) == (separate if is_video(memoryview(content)) else [["0", "1"]])


def medium(write: Write) -> None:
    write("medium/DICOMDIR", dicom("1.2.9", sop_class="1.2.840.10008.1.3.10"))
    write("medium/README.TXT", b"viewer")
    write("medium/DICOM/A/IM1", dicom("1.2.1"))
    write("medium/DICOM/B/IM2", dicom("1.2.1"))


def test_a_medium_is_one_study_without_its_directory(write: Write, tmp_path: Path) -> None:
    medium(write)
    assert sorted(names(grouped(tmp_path))[0]) == ["IM1", "IM2", "README.TXT"]
    assert len(grouped(tmp_path)) == 1


def test_an_archive_is_a_folder(write: Write, tmp_path: Path) -> None:
    medium(write)
    write("medium/AVI/1.avi", AVI)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "medium").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "medium"))
    (study,) = grouped(tmp_path / "a.zip")
    assert sorted(path.name for path in study.paths) == ["1.avi", "IM1", "IM2", "README.TXT"]


def test_an_archive_of_videos_without_uids(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cines.zip", "w") as archive:
        archive.writestr("a/1.avi", AVI)
        archive.writestr("b/2.avi", AVI)
    files = find_files(tmp_path).files
    assert names(group_studies(files)) == [["1.avi"], ["2.avi"]]
    assert names(group_studies(files, videos=VideoStudies.parse("folder"))) == [["1.avi", "2.avi"]]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_encoding_of_a_header_is_read(write: Write, syntax: UID) -> None:
    plain, encoded = write("a", dicom("1.2.1")), write("b", dicom("1.2.1", syntax))
    assert names(group_studies([plain, encoded])) == [["a", "b"]]


def test_a_file_without_preamble_is_read(write: Write) -> None:
    assert names(group_studies([write("a", dicom("1.2.1")), write("b", dicom("1.2.1")[132:])])) == [["a", "b"]]


def test_a_group_has_one_name(write: Write, cine: Path) -> None:
    files = [cine, write("a", dicom("1.2.1")), write("b", dicom("1.2.2")), write("c", dicom("1.2.1"))]
    groups = group_studies(files)
    identities = [group.identity() for group in groups]
    assert [identity.study_count for identity in identities] == [1, 1, 1]
    assert len({identity.study for identity in identities}) == 3


@pytest.mark.parametrize("size", [1 << 15, 1 << 17, 1 << 20])
def test_a_uid_behind_large_elements_is_found_whole(write: Write, size: int) -> None:
    long, short = "1.2.826.0.1.3680043.8.498.77", "1.2.1"
    for padding in range(size - 40, size + 80, 8):
        group = group_studies([write("a", dicom(long, padding=padding)), write("b", dicom(short))])
        assert names(group) == [["a"], ["b"]]
        assert group[0].headers[0].study_instance_uid == long


def test_no_content_raises(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    whole = dicom("1.2.1")
    contents = [b"", b"x", bytes(4096), whole[:140], whole[:300], bytes(128) + b"DICM" + b"\xff" * 999]
    contents += [
        dicom("9.8.7").replace(b"9.8.7", b"9.8 !"),
        whole[:200] + zlib.compress(whole),
        b"\x08\0" * 500,
        dicom(""),
    ]
    contents += [dicom("1.2.1", DeflatedExplicitVRLittleEndian)[:-20], b"\x02\0" + bytes(1 << 22)]
    files = [write(f"{index}", content) for index, content in enumerate(contents)]
    files.append(files[0].with_name("gone"))
    caplog.clear()
    left_out: list[LeftOut] = []
    with warnings.catch_warnings(action="error"):
        studies = group_studies(files, on_left_out=left_out.append)
    assert sum(len(study.paths) for study in studies) == len(files) - 1
    assert [file.path.name for file in left_out] == ["1"]  # text
    assert "9.8 !" not in caplog.text


def test_a_damaged_archive_raises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1", dicom("1.2.1") * 50)
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    assert names(grouped(tmp_path)) == [["1"]]
