"""What a server says of its models: counts."""

from pathlib import Path

import pytest

from panecho_admin.model_status import StatusClient
from panecho_client import Connection, PanEcho, RequestError
from panecho_client.triton import ENSEMBLE, PREPROCESSING
from panecho_server import TritonServer


def test_a_failed_study_counts_once(server: TritonServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF0000AVI broken")
    names = (ENSEMBLE, PREPROCESSING)
    with StatusClient(Connection(url=server.grpc_url)) as status, PanEcho(server.grpc_url) as panecho:
        before = [status.model(name).failures for name in names]
        for _ in range(3):
            with pytest.raises(RequestError):
                panecho.predict_study(broken)
        assert [status.model(name).failures for name in names] == [count + 3 for count in before]
