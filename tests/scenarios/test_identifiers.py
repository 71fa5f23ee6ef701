"""What identifies a patient stays in the request: it reaches no log, metric, status or error of a real server."""

import io
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc
import tritonclient.http
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage
from tritonclient.utils import InferenceServerException

from panecho_server import TritonServer
from support.wire import QUICK, infer_study

IDENTIFIERS = {
    "PatientName": "Quxomatic^Zelda",
    "PatientID": "MRN-QUX-0815",
    "PatientBirthDate": "19010203",
    "PatientAddress": "Quxstreet 7",
    "OtherPatientIDs": "QUX-OTHER-1",
    "AccessionNumber": "ACC-QUX-4711",
    "StudyID": "QUX-STUDY-9",
    "StudyDate": "18991231",
    "StudyDescription": "Quxdescription",
    "InstitutionName": "Quxville Clinic",
    "ReferringPhysicianName": "Quxdoctor^Ref",
    "DeviceSerialNumber": "QUX-SN-1",
    "ImageComments": "Quxcomment",
    "StudyInstanceUID": "1.2.826.0.1.3680043.10.999.771",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.10.999.772",
    "SOPInstanceUID": "1.2.826.0.1.3680043.10.999.773",
}
SECRETS = {part for value in IDENTIFIERS.values() for part in value.split("^")}


def saved(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def files(cine: Path) -> dict[str, bytes]:
    """A cine of a known patient, and what can go wrong with it."""
    dataset = dcmread(cine)
    for keyword, value in IDENTIFIERS.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    good = saved(dataset)
    for secret in SECRETS:
        assert secret.encode() in good
    pixels = good.index(b"\xe0\x7f\x10\x00")
    dataset.Modality, dataset.SOPClassUID = "CT", CTImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    return {
        "ok": good,
        "NOT_ULTRASOUND": saved(dataset),
        "NO_PIXEL_DATA": good[:pixels],
        "TRUNCATED": good[: pixels + 100],
        "UNREADABLE_DICOM": good.replace(b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00DS\x02\x00"),
        "CORRUPT_FRAME": good.replace(b"\xff\xd8\xff", bytes(3)),
        "NOT_A_VIDEO": good[200:],
    }


def answers(client: object, module: object, files: dict[str, bytes]) -> Iterator[str]:
    """Send all files together, and each alone with wrong requests; yield every text that comes back."""
    outputs = infer_study(client, module, list(files.values()), ["video_status"], QUICK)  # type: ignore[arg-type] # a module
    yield from (status.decode() for status in outputs["video_status"])
    for file in files.values():
        for parameters in (QUICK | {"on_error": "fail"}, QUICK | {"num_clips": 999}):
            try:
                infer_study(client, module, [file], ["video_status"], parameters)  # type: ignore[arg-type] # as above
            except InferenceServerException as error:
                yield str(error)


def test_identifiers_reach_nothing_that_is_kept(server: TritonServer, files: dict[str, bytes]) -> None:
    told: list[str] = []
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as grpc_client:
        told += answers(grpc_client, tritonclient.grpc, files)
        told.append(str(grpc_client.get_inference_statistics()))
    with tritonclient.http.InferenceServerClient(server.http_url) as http_client:
        told += answers(http_client, tritonclient.http, files)
    for code in files:
        assert sum(text.startswith(code) for text in told) >= 2, (code, told)
    with urllib.request.urlopen(f"http://{server.settings.host}:{server.metrics_port}/metrics", timeout=10) as metrics:
        told.append(metrics.read().decode())
    assert "nv_inference_request_success" in told[-1]
    told.append(server.settings.log_file.read_text())
    assert "STAND-IN WEIGHTS" in told[-1]
    assert [secret for secret in SECRETS if any(secret in text for text in told)] == []
