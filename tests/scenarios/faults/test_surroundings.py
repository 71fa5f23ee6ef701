"""What surrounds the server fails: shared memory, disk, files of the repository, and callers that are slow or idle."""

import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from panecho_server import RepositoryError, ServerSettings, StartError, TritonServer
from support.serve import running_serve, running_server
from support.wire import infer_study

SMALL: dict[str, int | str] = {"num_clips": 1, "clip_length": 1}
LARGE: dict[str, int | str] = {"num_clips": 16, "clip_length": 16}
CONNECTIONS = 1000


@pytest.fixture(scope="module")
def crowded(cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gRPC address of a server whose /dev/shm has room for little."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:  # noqa: S607
        pytest.skip("needs the right to mount, for a small /dev/shm of its own")
    small = 'mount -t tmpfs -o size=24m tmpfs /dev/shm && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", small, "sh")
    with running_serve(cold_repository, tmp_path_factory.mktemp("crowded"), prefix=prefix) as served:
        yield served.grpc_url()


@pytest.mark.slow
def test_full_shared_memory_fails_the_request_that_needs_it_alone(crowded: str, cine: Path) -> None:
    file = cine.read_bytes()
    with triton.InferenceServerClient(crowded) as client:
        expected = infer_study(client, triton, [file], ["EF"], SMALL)
        for files, parameters in (([file], LARGE), ([file] * 120, SMALL)):
            with pytest.raises(InferenceServerException) as refused:
                infer_study(client, triton, files, ["EF"], parameters)
            assert "shared memory" in refused.value.message()
            assert "Traceback" not in refused.value.message()
            after = infer_study(client, triton, [file], ["EF"], SMALL)
            np.testing.assert_allclose(after["EF"], expected["EF"], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_full_disk_under_the_log_stops_nothing(cold_repository: Path, cine: Path) -> None:
    settings = ServerSettings(
        model_repository=cold_repository, log_file=Path("/dev/full"), http_port=0, grpc_port=0, metrics_port=0
    )
    with running_server(settings) as server, triton.InferenceServerClient(server.grpc_url) as client:
        assert np.isfinite(infer_study(client, triton, [cine.read_bytes()], ["EF"], SMALL)["EF"]).all()


@pytest.mark.slow
def test_a_wrong_tasks_json_is_named_at_start(cold_repository: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(cold_repository, repository, copy_function=os.link)
    tasks = repository / "postprocessing/1/tasks.json"
    tasks.unlink()
    tasks.write_text('[{"key": "EF"')
    settings = ServerSettings(
        model_repository=repository, log_file=tmp_path / "log", http_port=0, grpc_port=0, metrics_port=0
    )
    with pytest.raises(StartError, match=r"postprocessing/1/tasks\.json is not what `panecho export` writes"):
        TritonServer(settings).start()


@pytest.mark.parametrize("kept", [None, 0, 1_000_000])
def test_a_model_that_is_missing_or_cut_off_is_named_at_start(
    cold_repository: Path, tmp_path: Path, kept: int | None
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(cold_repository, repository, copy_function=os.link)
    model = repository / "backbone/1/model.pt"
    content = model.read_bytes()
    model.unlink()
    if kept is not None:
        model.write_bytes(content[:kept])
    settings = ServerSettings(
        model_repository=repository, log_file=tmp_path / "log", http_port=0, grpc_port=0, metrics_port=0
    )
    wrong = "is missing" if kept is None else "is damaged: it is no whole TorchScript file"
    with pytest.raises(RepositoryError, match=rf"backbone/1/model\.pt {wrong}; write it: panecho export"):
        TritonServer(settings)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="as the server")
def test_idle_and_half_sent_connections_hold_nobody_up(server: TritonServer, cine: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * CONNECTIONS)), hard))
    half = b"POST /v2/models/panecho/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf of what was prom"
    with ExitStack() as opened, triton.InferenceServerClient(server.grpc_url) as client:
        expected = infer_study(client, triton, [cine.read_bytes()], ["EF"], SMALL)
        for number in range(CONNECTIONS):
            for port in (server.http_port, server.grpc_port):
                connection = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                if number % 2:
                    connection.sendall(half if port == server.http_port else b"PRI * HTTP/2.0\r\n")
        with triton.InferenceServerClient(server.grpc_url) as new:
            after = infer_study(new, triton, [cine.read_bytes()], ["EF"], SMALL)
        assert server.is_ready("panecho")  # asked over HTTP
    np.testing.assert_allclose(after["EF"], expected["EF"], rtol=0, atol=1e-4)
