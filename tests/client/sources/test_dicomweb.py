"""DICOMweb servers with the faults of real ones: what is searched, and what is fetched."""

import logging
import os
from pathlib import Path

import pytest

from panecho_client import PanEchoError, RequestError, ServerError, ServerUnavailableError
from panecho_client.sources import DicomWeb
from panecho_client.sources.dicomweb_matching import can_match, matches
from support.dicomweb_server import Pacs, running

FIELD = Path(__file__).parents[2] / "data/field"
FILES = ["stray_sequence_delimiter.dcm", "jpeg_300_bytes_after_eoi.dcm", "odd_frames_rgb_padded_each.dcm"]
THREE = {f"1.2.{number}": [b"DICM"] for number in (1, 2, 3)}


def found(pacs: Pacs, **query: str) -> list[str]:
    with running(pacs), DicomWeb(pacs.url) as opened:
        return [study.uid for study in opened.studies(**query)]


def fetched(pacs: Pacs, folder: Path, study: str = "1.2.1") -> tuple[list[bytes], list[PanEchoError]]:
    failures: list[PanEchoError] = []
    with running(pacs), DicomWeb(pacs.url, timeout=5) as opened:
        paths = opened.fetch(study, folder, on_failure=failures.append)
    return [path.read_bytes() for path in paths], failures


def test_files_come_as_their_bytes_are(tmp_path: Path, shared_folder: Path) -> None:
    """Also those that pydicom cannot write, and what is no DICOM at all."""
    paths = [FIELD / name for name in FILES] + sorted(shared_folder.glob("*_*f_jpeg*.dcm"))
    contents = [*(path.read_bytes() for path in paths), b"no DICOM", os.urandom(3_000_000)]
    assert len(contents) > 5
    assert fetched(Pacs({"1.2.1": contents}), tmp_path) == (contents, [])


@pytest.mark.parametrize("status", [404, 406, 500])
def test_an_instance_that_the_server_does_not_hand_over_harms_no_other(tmp_path: Path, status: int) -> None:
    contents, failures = fetched(Pacs({"1.2.1": [b"first", status, b"last"]}), tmp_path)
    assert contents == [b"first", b"last"]
    (failure,) = failures
    assert "instance 2 of 3: http://" in str(failure)
    assert f"({status})" in str(failure)
    assert "1.2.1" not in str(failure)


def test_a_server_that_takes_no_list_of_fields_hands_over_its_studies(tmp_path: Path) -> None:
    assert fetched(Pacs({"1.2.1": [b"first"]}, refused=frozenset({"includefield", "offset"})), tmp_path) == (
        [b"first"],
        [],
    )


def test_a_study_of_which_nothing_can_be_fetched_is_no_dead_server(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"instance 1 of 2: .*\(502\)") as caught:
        fetched(Pacs({"1.2.1": [502, 502]}), tmp_path)
    assert not isinstance(caught.value, ServerUnavailableError)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_breaks_off_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="broke off an answer"):
        fetched(Pacs({"1.2.1": [os.urandom(3_000_000)]}, cut=1000), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_the_servers_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def opened(path: Path, mode: str = "r") -> object:
        return real(Path("/dev/full"), mode) if mode == "wb" else real(path, mode)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(RequestError, match=r"0001\.dcm cannot be written: No space left on device"):
        fetched(Pacs({"1.2.1": [os.urandom(3_000_000)]}), tmp_path)


@pytest.mark.parametrize("untold", [frozenset(), frozenset({"00080061"})])
@pytest.mark.parametrize(
    "refused", [{"ModalitiesInStudy"}, {"includefield"}, {"ModalitiesInStudy", "includefield"}, set()]
)
def test_ultrasound_is_found_whatever_the_server_refuses(
    refused: set[str], untold: frozenset[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A server that refuses nothing ignores filters, and is noticed if it tells the modalities."""
    pacs = Pacs(THREE, modality={"1.2.2": "CT"}, refused=frozenset(refused), untold=untold)
    with caplog.at_level(logging.WARNING):
        uids = found(pacs)
    if "ModalitiesInStudy" in refused:
        assert "refuses the filter ModalitiesInStudy; its studies are filtered here" in caplog.text
    if "ModalitiesInStudy" in refused or not untold:
        assert uids == ["1.2.1", "1.2.3"]
    else:
        assert uids == ["1.2.1", "1.2.2", "1.2.3"]  # fetching says what has no ultrasound


@pytest.mark.parametrize(
    "refused", [set(), {"StudyDate"}, {"PatientID"}, {"PatientID", "ModalitiesInStudy", "StudyDate"}]
)
def test_filters_that_the_server_does_not_apply_are_applied_here(
    refused: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert found(Pacs(THREE, refused=frozenset(refused)), StudyDate="20260102-", PatientID="p2") == ["1.2.2"]
    assert all(f"refuses the filter {name};" in caplog.text for name in refused)
    assert "the filter StudyDate" in caplog.text  # refused or ignored
    assert "20260102" not in caplog.text


def test_a_refused_filter_that_cannot_be_applied_here_is_named() -> None:
    with pytest.raises(RequestError, match="refuses the filter PatientID, and does not tell it of each study"):
        found(Pacs(THREE, refused=frozenset({"PatientID"}), untold=frozenset({"00100020"})), PatientID="P2")
    with pytest.raises(RequestError, match=r"\(400\).* The filters are ModalitiesInStudy, PatientName\."):
        found(Pacs(THREE, refused=frozenset({"PatientName"})), PatientName="Doe^J*")
    with pytest.raises(RequestError, match=r"\(400\).* The filters are ModalitiesInStudy, StudyDate\."):
        found(Pacs(THREE, refused=frozenset({"StudyDate"})), StudyDate="yesterday")


def test_a_server_that_refuses_offsets_ends_the_list(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert found(Pacs(THREE, refused=frozenset({"offset"}))) == ["1.2.1", "1.2.2", "1.2.3"]
    assert "refuses to list more than its first 3 results" in caplog.text


@pytest.mark.parametrize(
    ("keyword", "value", "matching", "others"),
    [
        ("StudyDate", "20260102", ["20260102"], ["20260101", "20260103"]),
        ("StudyDate", "20260102-20260104", ["20260102", "20260104"], ["20260101", "20260105"]),
        ("StudyDate", "-20260102", ["19990101", "20260102"], ["20260103"]),
        ("StudyDate", "20260102-", ["20260102", "29991231"], ["20260101"]),
        ("PatientID", "A?1*", ["AB1", "ab12", "A.1", "A*1"], ["A1", "AB2"]),
        ("PatientID", "[A]", ["[A]", "[a] "], ["A"]),
        ("ModalitiesInStudy", "US,CT", ["CT", "US"], ["MR"]),
        ("StudyInstanceUID", "1.2\\1.3", ["1.3"], ["1.2.3"]),
    ],
)
def test_values_match_as_the_standard_says(keyword: str, value: str, matching: list[str], others: list[str]) -> None:
    assert can_match(keyword, value)
    assert all(matches([each], keyword, value) for each in matching)
    assert not any(matches([each], keyword, value) for each in others)
    assert matches([*others, matching[0]], keyword, value)
    assert matches([], keyword, value)


@pytest.mark.parametrize(
    ("keyword", "value"), [("PatientName", "Doe*"), ("StudyDate", "2026"), ("PatientID", ""), ("PatientID", '""')]
)
def test_what_cannot_be_compared_is_left_to_the_server(keyword: str, value: str) -> None:
    assert not can_match(keyword, value)
