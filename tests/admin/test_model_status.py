"""What a server says of its models: counts."""

from pathlib import Path

import pytest

from panecho_admin.model_status import StatusClient
from panecho_client import Connection, PanEcho, RequestError
from panecho_client.triton import ENSEMBLE
from panecho_server import TritonServer


def test_a_failed_study_counts_once(server: TritonServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF0000AVI broken")
    with StatusClient(Connection(url=server.grpc_url)) as status, PanEcho(server.grpc_url) as panecho:
        before = status.model(ENSEMBLE).failures
        for _ in range(3):
            with pytest.raises(RequestError):
                panecho.predict_study(broken)
        assert status.model(ENSEMBLE).failures == before + 3
