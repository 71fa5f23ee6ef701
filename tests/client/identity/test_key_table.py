"""The table that leads from pseudonyms back, and keys that can be guessed."""

import csv
from pathlib import Path

import pytest

from panecho_client import FilesError, RequestError
from panecho_client._commands.options import Naming
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.key_table import KEY_COLUMNS, append_key_table
from panecho_client._identity.study_identity import StudyIdentity

KEY = bytes(range(32))


@pytest.mark.parametrize("key", [b"", bytes(64), b"short\n", b" " * 40 + b"fifteen bytes..", b"ab" * 32])
def test_a_key_that_can_be_guessed_is_refused(key: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(key)
    with pytest.raises(RequestError, match=r"can be guessed: .* at least 16; make one: head -c 32"):
        _ = Naming(pseudonym_key=tmp_path / "key").key
    (tmp_path / "key").write_bytes(KEY)
    assert Naming(pseudonym_key=tmp_path / "key").key == KEY


def test_pseudonyms_of_dicom_and_of_videos_lead_back(tmp_path: Path) -> None:
    table = tmp_path / "names.csv"
    dicom = SopInstance(
        path=tmp_path / "a, b.dcm", sop_instance_uid="1.2.3", study_instance_uid="1.2", patient_id="MRN"
    )
    video = SopInstance(path=tmp_path / "0X1.avi", content="ab" * 32)
    for headers in ([dicom], [video], [dicom]):
        append_key_table(table, headers, pseudonym_key=KEY)
    assert table.stat().st_mode & 0o777 == 0o600
    with table.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert tuple(rows[0]) == KEY_COLUMNS
    assert [row["path"] for row in rows] == [str(dicom.path), str(video.path)]  # each once
    for row, header in zip(rows, (dicom, video), strict=True):
        identity = StudyIdentity.of([header], pseudonym_key=KEY)
        assert (row["study"], row["video"]) == (identity.study, identity.files[0].name)
        assert (row["patient"] or None) == identity.patient
    assert (rows[0]["sop_instance_uid"], rows[0]["patient_id"]) == ("1.2.3", "MRN")


def test_a_table_that_others_may_read_or_of_something_else_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "names.csv"
    table.write_text("")
    table.chmod(0o644)
    with pytest.raises(FilesError, match="chmod 600"):
        append_key_table(table, [SopInstance(path=tmp_path / "a")])
    table.chmod(0o600)
    table.write_text("other\n")
    with pytest.raises(FilesError, match="not a key table"):
        append_key_table(table, [SopInstance(path=tmp_path / "a")])
    assert table.read_text() == "other\n"
