"""What a server says of its models: counts."""

from pathlib import Path

import pytest

from panecho_admin.model_status import StatusClient
from panecho_client import Connection, PanEcho, RequestError
from panecho_client.triton import ENSEMBLE, MODELS
from panecho_server import TritonServer


def test_a_failed_study_counts_once(server: TritonServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF0000AVI broken")
    with StatusClient(Connection(url=server.grpc_url)) as status, PanEcho(server.grpc_url) as panecho:
        before = {name: status.model(name) for name in MODELS}
        with pytest.raises(RequestError):
            panecho.predict_study(broken)
        after = {name: status.model(name) for name in MODELS}
    failed = {name: after[name].failures - before[name].failures for name in MODELS}
    print(failed)
    assert failed[ENSEMBLE] == 1
