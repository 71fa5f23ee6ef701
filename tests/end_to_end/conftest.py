"""Clients of the real server, and a real study."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc

from panecho_server import TritonServer

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def client(server: TritonServer) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def colour_cine() -> bytes:
    """A colour-Doppler cine of another scanner; it may not be shipped."""
    path = SHARED / "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm"
    if not path.is_file():
        pytest.skip(f"{path.name} may not be shipped with the repository and is not beside this clone")
    return path.read_bytes()
