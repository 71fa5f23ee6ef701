"""A real Orthanc on this machine alone, empty at first."""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import generate_uid

from panecho_server.ports import free_port

PLUGINS = (Path("/usr/share/orthanc/plugins"), Path("/usr/local/share/orthanc/plugins"))
STARTING_SECONDS = 30


@contextmanager
def running_orthanc(storage: Path, **options: object) -> Iterator[str]:
    """Run an empty Orthanc and give the address of its DICOMweb service."""
    executable = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    plugin = next((path for folder in PLUGINS for path in folder.glob("libOrthancDicomWeb.so")), None)
    if executable is None or plugin is None:
        pytest.skip("needs Orthanc and its DICOMweb plugin: apt-get install orthanc orthanc-dicomweb")
    port = free_port()
    configuration = {
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "StorageCompression": False,
        "MaximumStorageCacheSize": 0,
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **options,
    }
    (storage / "orthanc.json").write_text(json.dumps(configuration))
    with (storage / "log").open("wb") as log:
        process = subprocess.Popen([executable, storage / "orthanc.json"], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(process, port, storage / "log")
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"Orthanc did not start:\n{log.read_text(errors='replace')}")


def copy_of(cine: Path, study: str, modality: str = "US", instance: int = 1) -> Dataset:
    dataset = dcmread(cine)
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = f"{study}.{ord(modality[0])}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    frames = list(generate_frames(dataset.PixelData, number_of_frames=dataset.NumberOfFrames))[instance - 1 :]
    dataset.PixelData, dataset.NumberOfFrames = encapsulate(frames), len(frames)  # the same video counts once
    dataset.Modality, dataset.InstanceNumber, dataset.PatientID = modality, instance, f"P{study[-1]}"
    return dataset


def stored(url: str) -> list[dict[str, str]]:
    """Return the study, series, instance and modality of everything that an Orthanc holds."""
    base = url.removesuffix("/dicom-web")
    with requests.Session() as session:
        session.trust_env = False
        found = session.get(f"{base}/instances?expand", timeout=30).json()
        tags = [session.get(f"{base}/instances/{each['ID']}/simplified-tags", timeout=30).json() for each in found]
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality")
    return [{name: of[name] for name in names} for of in tags]


def held(url: str, study: str) -> Counter[str]:
    """Return how many instances of each modality an Orthanc holds of a study."""
    return Counter(each["Modality"] for each in stored(url) if each["StudyInstanceUID"] == study)


def wait_until_stable(url: str) -> None:
    """Return once an Orthanc with a short ``StableAge`` has called everything stable that it was sent."""
    base = url.removesuffix("/dicom-web")
    deadline = time.monotonic() + STARTING_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline:
            changes = session.get(f"{base}/changes?since=0&limit=100000", timeout=30).json()["Changes"]
            last = {change["ChangeType"]: change["Seq"] for change in changes}
            if last.get("StableStudy", 0) > last.get("NewInstance", 0):
                return
            time.sleep(0.1)
    pytest.fail("Orthanc does not call a study stable")


def store(url: str, datasets: list[Dataset]) -> None:
    with requests.Session() as session:
        session.trust_env = False  # no proxy
        DICOMwebClient(url, session=session).store_instances(datasets)
