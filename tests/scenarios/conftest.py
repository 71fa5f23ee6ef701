"""Clients of the real server, and a real study."""

from collections.abc import Callable, Iterator

import pytest
import tritonclient.grpc

from panecho_server import TritonServer


@pytest.fixture
def client(server: TritonServer) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def colour_cine(shared: Callable[[str], bytes]) -> bytes:
    """A colour-Doppler cine of another scanner; it may not be shipped."""
    return shared("ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm")
