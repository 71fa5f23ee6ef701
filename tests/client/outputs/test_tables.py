"""Studies as tables: every task and class is in them once, nothing identifies unasked, and all reads back."""

import csv
import math
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from panecho_client import FilesError, PanEchoError, RequestError, ServerError, StudyResult
from panecho_client._archive.joined_tables import Failure
from panecho_client._description import VERSION, Description
from panecho_client._files.file_bytes import read_files
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._responses import build_study
from panecho_client.outputs.table_files import append_csv, read_csv, write_parquet
from panecho_client.outputs.tables import LONG_COLUMNS, long_rows, wide_columns, wide_row
from support.reported_studies import reported

VALUES_OF_A_STUDY = 21 + 10 + 9 * 3


@pytest.fixture
def instances(study: StudyResult) -> list[SopInstance]:
    first, second = (video.path for video in study.videos)
    return [
        SopInstance(
            path=first,
            sop_instance_uid="1.2.3.4",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1",
            study_instance_uid="1.2.3",
            patient_id="MRN-0815",
            patient_name="SECRET^PATIENT",
        ),
        SopInstance(path=second, content="ab" * 32),
    ]


@pytest.fixture
def identity(instances: list[SopInstance]) -> StudyIdentity:
    return StudyIdentity.of(instances)


def test_long_rows_hold_every_task_and_class_of_study_and_videos(study: StudyResult, identity: StudyIdentity) -> None:
    rows = list(long_rows(study, identity))
    assert all(list(row) == list(LONG_COLUMNS) for row in rows)
    first, second = (file.name for file in identity.files)
    assert [row["video"] for row in rows] == [None] * VALUES_OF_A_STUDY + [first] * VALUES_OF_A_STUDY + [second]
    of_study = rows[:VALUES_OF_A_STUDY]
    assert list(dict.fromkeys(row["task"] for row in of_study)) == list(study.predictions)
    values = {(row["task"], row["class"]): (row["value"], row["unit"]) for row in of_study}
    assert values["EF", None] == (study["EF"].value, "%")
    assert values["E|EAvg", None] == (study["E|EAvg"].value, "1")
    assert values["RASize", "RASize:Dilated"] == (study["RASize"].value, "1")
    assert values["AVStenosis", "AVStenosis:Severe"] == (study["AVStenosis"].probabilities["Severe"], "1")


def test_rows_tell_where_they_come_from(study: StudyResult, identity: StudyIdentity) -> None:
    for row in long_rows(study, identity):
        assert (row["model"], row["version"], row["weights"]) == ("PanEcho", VERSION, "stand-in 0")
        assert row["stand_in"] is True
        assert "Not for clinical use. stand-in weights" in str(row["warnings"])


def test_skipped_file_has_one_row_with_its_status(study: StudyResult, identity: StudyIdentity) -> None:
    *_, last = long_rows(study, identity)
    assert str(last["status"]).startswith("NOT_A_VIDEO: ")
    assert (last["task"], last["value"], last["sop_instance_uid"]) == (None, None, None)


def test_wide_row_has_a_column_per_task_and_class(
    study: StudyResult, identity: StudyIdentity, description: Description
) -> None:
    row, columns = wide_row(study, identity), wide_columns(description.tasks)
    assert list(row) == list(columns)
    assert sum(kind is float for kind in columns.values()) == VALUES_OF_A_STUDY + 21  # their standard deviations
    assert (row["videos"], row["videos_used"], row["videos_skipped"]) == (2, 1, 1)
    assert row["skipped_statuses"] == "NOT_A_VIDEO=1"
    assert row["ef"] == study["EF"].value
    assert row["avstenosis_severe"] == study["AVStenosis"].probabilities["Severe"]
    assert row["avstenosis_class"] == f"AVStenosis:{study['AVStenosis'].label}"


def test_spread_and_predicted_class_are_there() -> None:
    study, identity = reported("severe")
    rows = {(row["video"], row["variable"]): row for row in long_rows(study, identity)}
    values = [video["EF"].value for video in study.videos if video.ok]
    of_study = rows[None, "ef"]
    assert (of_study["videos"], of_study["lowest"], of_study["highest"]) == (4, min(values), max(values))
    assert of_study["sd"] == pytest.approx(np.std(values, ddof=1))
    assert wide_row(study, identity)["ef_sd"] == of_study["sd"]
    assert [name for (video, name), row in rows.items() if not video and row["predicted"]][:2] == [
        "lvsize_moderately_severely_increased",
        "lvwallthickness_increased_any_increased",
    ]
    assert rows[identity.files[0].name, "ef"]["sd"] is None


def test_classes_stand_from_normal_to_severe() -> None:
    rows = [row["class"] for row in long_rows(*reported("severe")) if row["task"] == "AVStenosis" and not row["video"]]
    assert rows == ["AVStenosis:None", "AVStenosis:Mild|Moderate", "AVStenosis:Severe"]


def test_path_is_the_folder_of_an_identified_study() -> None:
    assert wide_row(*reported("normal", identified=True))["path"] == "study"
    assert wide_row(*reported("normal"))["path"] is None


def test_csv_reads_back_and_grows(tmp_path: Path, study: StudyResult, identity: StudyIdentity) -> None:
    path, rows = tmp_path / "long.csv", list(long_rows(study, identity))
    append_csv(path, rows, LONG_COLUMNS)
    append_csv(path, iter(rows), LONG_COLUMNS)
    assert read_csv(path, LONG_COLUMNS) == rows * 2
    assert path.read_bytes().count(b"study,patient,video") == 1
    assert path.read_bytes().count(b"\r\n") == 2 * len(rows) + 1


def test_wide_csv_reads_back(
    tmp_path: Path, study: StudyResult, identity: StudyIdentity, description: Description
) -> None:
    path, columns = tmp_path / "wide.csv", wide_columns(description.tasks)
    append_csv(path, [wide_row(study, identity)], columns)
    assert read_csv(path, columns) == [wide_row(study, identity)]


def test_csv_quotes_what_needs_it(tmp_path: Path, study: StudyResult, instances: list[SopInstance]) -> None:
    odd = 'a "b", c\n<script>.dcm'
    named = [replace(instances[0], path=Path(odd)), instances[1]]
    path = tmp_path / "long.csv"
    append_csv(path, long_rows(study, StudyIdentity.of(named, include_identifiers=True)), LONG_COLUMNS)
    assert read_csv(path, LONG_COLUMNS)[VALUES_OF_A_STUDY]["video"] == odd
    assert b'"a ""b"", c\n<script>.dcm"' in path.read_bytes()


def test_csv_with_other_columns_is_left_alone(tmp_path: Path, study: StudyResult, identity: StudyIdentity) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\r\n1,2\r\n")
    with pytest.raises(RequestError, match="other columns"):
        append_csv(path, long_rows(study, identity), LONG_COLUMNS)
    with pytest.raises(RequestError, match="other columns"):
        read_csv(path, LONG_COLUMNS)
    assert path.read_bytes() == b"a,b\r\n1,2\r\n"


def test_no_number_is_an_empty_field_and_null(
    tmp_path: Path, description: Description, outputs: dict[str, NDArray[np.generic]], identity: StudyIdentity
) -> None:
    task = description.tasks[1]
    nothing = outputs | {task.key: np.array([math.nan], np.float32)}
    files = [Path("a"), Path("b")]
    study = build_study(nothing, [task], files, weights=description.weights, parameters={})
    append_csv(tmp_path / "long.csv", long_rows(study, identity), LONG_COLUMNS)
    with (tmp_path / "long.csv").open(newline="") as opened:
        assert next(csv.DictReader(opened))["value"] == ""
    write_parquet(tmp_path / "long.parquet", long_rows(study, identity), LONG_COLUMNS)
    assert parquet.read_table(tmp_path / "long.parquet").to_pylist()[0]["value"] is None


def test_parquet_has_typed_columns_and_the_rows(
    tmp_path: Path, study: StudyResult, identity: StudyIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panecho_client.outputs.table_files.ROW_GROUP", 50)
    path, rows = tmp_path / "long.parquet", list(long_rows(study, identity))
    write_parquet(path, iter(rows), LONG_COLUMNS)
    assert parquet.ParquetFile(path).num_row_groups == math.ceil(len(rows) / 50)
    table = parquet.read_table(path)
    assert {str(field.type) for field in table.schema} == {"string", "double", "bool", "int64"}
    assert table.to_pylist() == rows


@pytest.mark.parametrize("identified", [False, True])
def test_identifiers_only_when_asked_for(
    tmp_path: Path, study: StudyResult, instances: list[SopInstance], *, identified: bool
) -> None:
    identity = StudyIdentity.of(instances, include_identifiers=identified)
    append_csv(tmp_path / "t.csv", long_rows(study, identity), LONG_COLUMNS)
    write_parquet(tmp_path / "t.parquet", long_rows(study, identity), LONG_COLUMNS)
    for path in (tmp_path / "t.csv", tmp_path / "t.parquet"):
        written = path.read_bytes()
        assert [text in written for text in (b"MRN-0815", b"study/a.dcm", b"1.2.3.4")] == [identified] * 3
        assert b"SECRET" not in written


def errors_about(folder: Path) -> Iterator[PanEchoError]:
    """Errors that the client raises about files of a patient."""
    folder.mkdir()
    for path in (folder / "gone", folder, Path(folder.name, "gone")):
        yield raised_by(path)
    member = folder / "1.zip" / "DOE^JANE'S/IM0001"
    with zipfile.ZipFile(member.parents[1], "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("DOE^JANE'S/IM0001", bytes(9999))
    whole = member.parents[1].read_bytes()
    for offset in (whole.index(b"PK\1\2") + 16, whole.index(b"DOE")):  # the checksum, and the name before the content
        damaged = bytearray(whole)
        damaged[offset] ^= 1
        member.parents[1].write_bytes(damaged)
        yield raised_by(member)
    path = folder / "gone"
    yield ServerError(f"video_sizes[0]: BROKEN (video 0 is {path})", paths=[path])
    yield FilesError(f"{folder}: no file found; see {path.parent}", paths=[path])


def raised_by(path: Path) -> PanEchoError:
    with pytest.raises(PanEchoError) as caught:
        read_files([path])
    return caught.value


def headers_of(error: PanEchoError) -> list[SopInstance]:
    return [SopInstance(path=path) for path in error.paths]


def test_failures_name_no_file_unasked(tmp_path: Path) -> None:
    errors = list(errors_about(tmp_path / "DOE^JANE"))
    assert "JANE'S/IM0001\"" in str(errors[4])
    for error in errors:
        assert "JANE" in repr(
            Failure.of("1.2.3", headers_of(error), error, include_identifiers=True, pseudonym_key=b"")
        )
        failure = Failure.of("study-1", headers_of(error), error, include_identifiers=False, pseudonym_key=b"")
        assert not [text for text in ("JANE", "IM0001", "gone", tmp_path.name) if text in repr(failure)]
        assert failure.files.startswith("video-")
    failure = Failure.of(None, [], errors[0], include_identifiers=False, pseudonym_key=b"")
    assert failure.study.startswith("study-")
    assert failure.reason.startswith("video-")
    assert failure.reason.endswith(" cannot be read: No such file or directory.")


def test_a_bare_name_is_replaced_as_a_word() -> None:
    error = ServerError("a is damaged, as a video can be", paths=[Path("a")])
    failure = Failure.of("study-1", headers_of(error), error, include_identifiers=False, pseudonym_key=b"")
    assert failure.reason == f"{failure.files} is damaged, as {failure.files} video can be"
