"""Whose a file is: read from headers of all kinds, and replaced by pseudonyms that last."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import UID as UID_
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from panecho_client import FilesError, RequestError, StudyResult
from panecho_client._identity import headers
from panecho_client._identity.headers import SopInstance, read_header, read_headers, with_content
from panecho_client._identity.pseudonyms import pseudonym, pseudonymous_uid, study_name
from panecho_client._identity.study_identity import StudyIdentity, identify, identify_files

UID = "1.2.826.0.1.3680043.8.498.1"


def write_dicom(
    path: Path, *, syntax: str = ExplicitVRLittleEndian, study: str = UID, name: str = "SECRET^PÄTIENT"
) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID_(syntax)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = f"{study}.9"
    dataset.StudyDate = "19991231"
    dataset.AccessionNumber = "ACC-4711"
    dataset.PatientName = name
    dataset.PatientID = "MRN-0815"
    dataset.PatientBirthDate = "19010203"
    dataset.PatientSex = "F"
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = f"{study}.5"
    dataset.Rows, dataset.Columns = 240, 320
    dataset.PixelData = bytes(16)
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_identifiers_of_a_dicom_file(tmp_path: Path, syntax: str) -> None:
    path = write_dicom(tmp_path / "a", syntax=syntax)
    assert read_header(path) == SopInstance(
        path=path,
        sop_instance_uid=f"{UID}.9",
        sop_class_uid=UltrasoundMultiFrameImageStorage,
        series_instance_uid=f"{UID}.5",
        study_instance_uid=UID,
        patient_id="MRN-0815",
        patient_name="SECRET^PÄTIENT",
        patient_birth_date="19010203",
        patient_sex="F",
        study_date="19991231",
        accession_number="ACC-4711",
        rows=240,
        columns=320,
    )


def test_a_member_of_a_zip_file_reads_as_the_file_does(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a")
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.write(path, "x/IM1")
        opened.writestr("x/notes.txt", "hello")
    member = read_header(archive / "x/IM1")
    assert (member.path, member.study_instance_uid) == (archive / "x/IM1", UID)
    notes = with_content(read_header(archive / "x/notes.txt"))
    (tmp_path / "notes.txt").write_text("hello")
    assert notes.content == with_content(read_header(tmp_path / "notes.txt")).content


def test_without_preamble(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a")
    stripped = tmp_path / "b"
    stripped.write_bytes(path.read_bytes()[132:])
    assert read_header(stripped).patient_name == "SECRET^PÄTIENT"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        bytes(4096),
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + bytes(range(256)) * 8,
        b"\x08\x00\x18\x00" * 99,
    ],
)
def test_garbage_has_no_identifiers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    header = read_header(path)
    assert header == SopInstance(path=path)
    assert with_content(header) == SopInstance(path=path, content=hashlib.sha256(content).hexdigest())


def test_every_cut_of_a_header_is_read_or_is_not(tmp_path: Path) -> None:
    whole = write_dicom(tmp_path / "a").read_bytes()
    cut = tmp_path / "b"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        header = read_header(cut)
        assert header.patient_id in (None, "MRN-0815")
        assert header.study_instance_uid in (None, UID)  # half a UID is another study's


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="gone cannot be read") as caught:
        read_header(tmp_path / "gone")
    assert caught.value.paths == (tmp_path / "gone",)


def test_only_a_file_without_uid_is_hashed_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dicom, notes = read_headers([write_dicom(tmp_path / "a"), write_nothing(tmp_path)])
    assert with_content(dicom) is dicom
    hashed = with_content(notes)
    monkeypatch.setattr(headers, "sha256_of", None)
    assert with_content(hashed) is hashed
    with pytest.raises(TypeError):
        with_content(notes)


def test_a_file_that_is_gone_keeps_its_path(tmp_path: Path) -> None:
    (gone,) = read_headers([tmp_path / "gone"])
    assert gone == SopInstance(path=tmp_path / "gone") == with_content(gone)


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(RequestError, match=r"pip install './client\[reports\]'"):
        read_header(write_nothing(tmp_path))


def write_nothing(folder: Path) -> Path:
    path = folder / "empty"
    path.touch()
    return path


def test_headers_with_invalid_values_are_read_in_silence(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dicom(tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b"19010203", b"SECRET!!"))
    assert read_header(path).patient_birth_date == "SECRET!!"
    assert [*recwarn] == []
    assert caplog.text == ""


def test_pseudonyms_last() -> None:
    assert pseudonym("1.2.840.113619.2.1", kind="study") == "study-5b58e6ded6df7b0b"
    assert pseudonymous_uid("1.2.3") == pseudonymous_uid("1.2.3")


def test_pseudonyms_differ_by_value_kind_and_secret() -> None:
    names = {
        pseudonym(value, kind=kind, pseudonym_key=secret).partition("-")[2]
        for value in ("1.2.3", "1.2.4")
        for kind in ("study", "video")
        for secret in (b"", b"a", b"b")
    }
    assert len(names) == 12
    uids = {pseudonymous_uid(value, pseudonym_key=secret) for value in ("1.2.3", "1.2.4") for secret in (b"", b"a")}
    assert len(uids) == 4
    assert all(len(uid) <= 64 and uid.startswith("2.25.") for uid in uids)


def test_identity_without_identifiers_holds_none(tmp_path: Path) -> None:
    (tmp_path / "SECRET").mkdir()
    files = [write_dicom(tmp_path / "SECRET/a"), write_nothing(tmp_path / "SECRET")]
    identity = StudyIdentity.of(read_headers(files))
    shown = repr(identity)
    for identifier in ("SECRET", "TIENT", "MRN", "0815", "1901", "1999", "ACC", "4711", UID, str(tmp_path)):
        assert identifier not in shown
    assert identity.patient_sex == "F"
    assert identity.files[0].sop_class_uid == UltrasoundMultiFrameImageStorage
    again = StudyIdentity.of(read_headers(files))
    assert again == identity
    assert StudyIdentity.of(read_headers(files), pseudonym_key=b"s").study != identity.study


def test_identity_with_identifiers_holds_them(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a")
    identity = StudyIdentity.of([read_header(path)], include_identifiers=True)
    assert (identity.study, identity.patient, identity.patient_name) == (UID, "MRN-0815", "SECRET^PÄTIENT")
    assert (identity.files[0].name, identity.files[0].sop_instance_uid) == (str(path), f"{UID}.9")


@pytest.mark.parametrize("include_identifiers", [False, True])
@pytest.mark.parametrize("secret", [b"", b"secret"])
def test_a_study_has_its_name_before_its_files_are_there(
    tmp_path: Path, secret: bytes, *, include_identifiers: bool
) -> None:
    files = [write_dicom(tmp_path / "a"), write_nothing(tmp_path)]
    name = study_name(UID, include_identifiers=include_identifiers, pseudonym_key=secret)
    assert name == identify_files(files, include_identifiers=include_identifiers, pseudonym_key=secret).study


def test_a_file_that_cannot_be_read_is_known_by_its_path(tmp_path: Path) -> None:
    files = [write_dicom(tmp_path / "a"), tmp_path / "SECRET", tmp_path]
    identity = identify_files(files)
    assert identity.study == study_name(UID)
    assert len({file.name for file in identity.files}) == 3
    assert "SECRET" not in repr(identity)
    assert identify_files(files) == identity


def test_mixed_studies_are_counted_and_named_after_the_larger(tmp_path: Path) -> None:
    files = [write_dicom(tmp_path / name, study=study) for name, study in (("a", "1.2.3"), ("b", UID), ("c", UID))]
    identity = StudyIdentity.of(read_headers(files), include_identifiers=True)
    assert (identity.study, identity.study_count) == (UID, 2)


def test_study_without_dicom_is_known_by_its_content(tmp_path: Path, study: StudyResult) -> None:
    names = []
    for folder, content in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        path = tmp_path / folder
        path.write_bytes(content)
        identity = StudyIdentity.of([with_content(read_header(path))])
        names.append((identity.study, identity.files[0].name))
    assert names[0] == names[1]
    assert len({*names[0], *names[2]}) == 4
    with pytest.raises(FilesError):
        identify(study)  # its files do not exist
