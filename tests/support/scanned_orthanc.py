"""An Orthanc that receives from a scanner, which calls a study stable after a second."""

from collections.abc import Iterator

import pytest

from panecho_server.ports import free_port
from support.orthanc import running_orthanc


@pytest.fixture(scope="module")
def scanned_port() -> int:
    """Port at which the Orthanc receives (DIMSE)."""
    return free_port()


@pytest.fixture(scope="module")
def orthanc(scanned_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of its DICOMweb service."""
    options = {"StableAge": 1, "DicomServerEnabled": True, "DicomPort": scanned_port}
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), **options) as url:
        yield url
