"""DICOMweb against a real Orthanc on this machine alone."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pydicom import dcmread

from panecho_client import (
    ClipOptions,
    DeadlineExceededError,
    FilesError,
    IncompatibleServerError,
    PanEcho,
    PanEchoError,
    RequestError,
    ServerUnavailableError,
)
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.pseudonyms import study_name
from panecho_client._identity.study_identity import identify_files
from panecho_client.sources.dicomweb import DicomWeb, MissingInstance
from panecho_server import TritonServer
from support.orthanc import copy_of, running_orthanc, store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as url:
        yield url


@pytest.fixture(scope="module")
def studies(orthanc: str, cine: Path) -> dict[str, str]:
    """What Orthanc holds: the shipped cine; a study of three cines, one CT and a CT alone."""
    uids = {
        name: f"1.2.826.0.1.3680043.10.{number}"
        for number, name in enumerate(("several", "ct", "broken", "vanishing"), start=1)
    }
    datasets = [dcmread(cine), copy_of(cine, uids["several"], "CT"), copy_of(cine, uids["ct"], "CT")]
    datasets += [copy_of(cine, uids["several"], instance=number) for number in (3, 1, 2)]
    datasets += [copy_of(cine, uids["broken"], instance=number) for number in (1, 2, 3)]
    datasets += [copy_of(cine, uids["vanishing"], instance=number) for number in (1, 2)]
    store(orthanc, datasets)
    return uids | {"cine": str(datasets[0].StudyInstanceUID)}


@pytest.fixture
def pacs(orthanc: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DicomWeb]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # must not come between
    with DicomWeb(orthanc) as opened:
        yield opened


def test_search_finds_studies_with_ultrasound(pacs: DicomWeb, studies: dict[str, str]) -> None:
    found = {study.uid: study for study in pacs.studies()}
    assert found.keys() >= {studies[name] for name in ("cine", "several", "broken", "vanishing")}
    assert studies["ct"] not in found
    assert (found[studies["several"]].instances, found[studies["several"]].modalities) == (4, ("CT", "US"))
    assert not any(uid in repr(study) for uid, study in found.items())


def test_search_matches_what_is_asked(pacs: DicomWeb, studies: dict[str, str], cine: Path) -> None:
    date = dcmread(cine, stop_before_pixels=True).StudyDate
    assert len(pacs.studies(StudyDate=date)) == 4
    assert pacs.studies(StudyDate="19000101-19000102") == ()
    (only,) = pacs.studies(PatientID="P1")
    assert only.uid == studies["several"]
    (ct,) = pacs.studies(ModalitiesInStudy="CT", StudyInstanceUID=studies["ct"])
    assert ct.modalities == ("CT",)


def test_what_is_stored_is_found_under_the_name_of_its_files(pacs: DicomWeb, cine: Path, tmp_path: Path) -> None:
    stored = copy_of(cine, "1.2.826.0.1.3680043.10.9")
    stored.StudyDate = "20010203"  # another test counts those of the cine's date
    store(f"{pacs.server}/dicom-web", [stored])
    (found,) = pacs.studies(StudyInstanceUID=stored.StudyInstanceUID)
    assert (found.instances, found.modalities) == (1, ("US",))
    (file,) = pacs.fetch(found.uid, tmp_path)
    assert dcmread(file).SOPInstanceUID == stored.SOPInstanceUID
    assert study_name(found.uid, pseudonym_key=b"s") == identify_files([file], pseudonym_key=b"s").study


def test_a_misspelt_keyword_is_refused(pacs: DicomWeb) -> None:
    with pytest.raises(RequestError, match="'PatientIdd' is no DICOM keyword"):
        pacs.studies(PatientIdd="1")


def test_a_cine_comes_back_byte_for_byte(
    pacs: DicomWeb, studies: dict[str, str], cine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        (file,) = pacs.fetch(studies["cine"], tmp_path / "study")
    assert file == tmp_path / "study" / "0001.dcm"
    assert file.read_bytes() == cine.read_bytes()
    assert studies["cine"] not in caplog.text


def test_only_ultrasound_comes_in_the_order_of_its_numbers(
    pacs: DicomWeb, studies: dict[str, str], cine: Path, tmp_path: Path
) -> None:
    files = pacs.fetch(studies["several"], tmp_path)
    assert sorted(tmp_path.iterdir()) == list(files)
    assert [file.name for file in files] == ["0001.dcm", "0002.dcm", "0003.dcm"]
    fetched = [dcmread(file) for file in files]
    assert [(dataset.Modality, dataset.InstanceNumber) for dataset in fetched] == [("US", 1), ("US", 2), ("US", 3)]
    stored = [copy_of(cine, studies["several"], instance=number).PixelData for number in (1, 2, 3)]
    assert [dataset.PixelData for dataset in fetched] == stored
    assert all(dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50" for dataset in fetched)


def test_a_fetched_study_is_predicted(
    pacs: DicomWeb, studies: dict[str, str], server: TritonServer, tmp_path: Path
) -> None:
    files = pacs.fetch(studies["cine"], tmp_path)
    with PanEcho(server.grpc_url) as panecho:
        study = panecho.predict_study(files, tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=2))
    assert [video.status for video in study.videos] == ["ok"]


class Vanishing(DicomWeb):
    """Of each study the second instance is deleted once it is listed."""

    def _instances(self, study: str) -> tuple[list[SopInstance], list[MissingInstance]]:
        found, missing = super()._instances(study)
        root = f"{self.server}/instances"
        for identifier in requests.get(root, timeout=10).json():
            if (
                requests.get(f"{root}/{identifier}/simplified-tags", timeout=10).json()["SOPInstanceUID"]
                == found[1].sop_instance_uid
            ):
                requests.delete(f"{root}/{identifier}", timeout=10).raise_for_status()
        return found, missing


def test_one_lost_instance_does_not_lose_the_others(orthanc: str, studies: dict[str, str], tmp_path: Path) -> None:
    failures: list[PanEchoError] = []
    with Vanishing(orthanc) as pacs:
        files = pacs.fetch(studies["broken"], tmp_path, on_failure=failures.append)
    assert [file.name for file in files] == ["0001.dcm", "0003.dcm"]
    assert sorted(tmp_path.iterdir()) == list(files)
    (failure,) = failures
    assert "instance 2 of 3: " in str(failure)
    assert "404" in str(failure)
    assert studies["broken"] not in str(failure)


def test_a_lost_instance_is_logged(
    orthanc: str, studies: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Vanishing(orthanc) as pacs:
        pacs.fetch(studies["vanishing"], tmp_path)
    (record,) = (record for record in caplog.records if record.name.startswith("panecho_client"))
    assert record.getMessage().startswith("instance 2 of 2: ")


def test_a_series_that_is_not_listed_whole_is_told(cine: Path, tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    uid = "1.2.826.0.1.3680043.10.8"
    failures: list[PanEchoError] = []
    with running_orthanc(tmp_path / "orthanc", LimitFindInstances=2, LimitFindResults=2) as url:
        store(url, [copy_of(cine, uid, instance=number) for number in range(1, 6)])
        with DicomWeb(url) as limited:
            files = limited.fetch(uid, tmp_path / "study", on_failure=failures.append)
    (failure,) = failures
    assert f"lists {len(files)} of the 5 instances of a series; raise its limit" in str(failure)


def test_a_study_that_is_not_there_is_said(pacs: DicomWeb, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="holds no such study") as caught:
        pacs.fetch("1.2.3", tmp_path)
    assert caught.value.code == "NOT_FOUND"
    for uid in ("", "..", "../../instances", "1.2.3/series"):
        with pytest.raises(RequestError, match="numbers with dots between them"):
            pacs.fetch(uid, tmp_path)


def test_a_study_without_ultrasound_names_what_it_has(pacs: DicomWeb, studies: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no ultrasound at .*, only CT") as caught:
        pacs.fetch(studies["ct"], tmp_path)
    assert studies["ct"] not in str(caught.value)


def test_a_folder_in_use_is_refused(pacs: DicomWeb, studies: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with pytest.raises(FilesError, match="not empty"):
        pacs.fetch(studies["cine"], tmp_path)
    with pytest.raises(FilesError, match="cannot be used"):
        pacs.fetch(studies["cine"], tmp_path / "other")


def test_a_wrong_path_is_told_from_a_wrong_study(orthanc: str) -> None:
    with DicomWeb(orthanc.replace("dicom-web", "dicomweb")) as wrong, pytest.raises(RequestError, match="404"):
        wrong.studies()
    root = orthanc.removesuffix("/dicom-web") + "/app/explorer.html?"
    with DicomWeb(root) as page, pytest.raises(IncompatibleServerError, match="no JSON"):
        page.studies()


def test_nothing_answers(unused_url: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with DicomWeb(f"http://{unused_url}/dicom-web") as dead:
        for call in (dead.studies, lambda: dead.fetch("1.2.3", tmp_path)):
            with pytest.raises(ServerUnavailableError, match=f"no DICOMweb server answers at http://{unused_url}"):
                call()
    assert time.monotonic() - started < 10


def test_a_silent_server_is_told_from_an_absent_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web"
        with DicomWeb(url, timeout=0.2) as pacs, pytest.raises(DeadlineExceededError, match=r"within 0\.2 s"):
            pacs.studies()


@pytest.mark.parametrize("url", ["localhost:8042", "ftp://localhost", "http://name:word@localhost:8042"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        DicomWeb(url)
    assert "word" not in str(caught.value).replace("password", "")
