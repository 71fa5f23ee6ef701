"""Three times what the server can do: it refuses what its queue cannot hold, and what it answers is right."""

import json
import re
import shutil
from pathlib import Path

import pytest
from load_tests.overload import overload

from panecho_server import ServerSettings, TritonServer

pytestmark = pytest.mark.long

QUEUE = 4


@pytest.fixture
def small_queue(cold_repository: Path, tmp_path: Path) -> Path:
    """The repository with a queue of the backbone that is soon full."""
    target = tmp_path / "repository"
    shutil.copytree(cold_repository, target)
    config = target / "backbone/config.pbtxt"
    text, found = re.subn(r"max_queue_size: \d+", f"max_queue_size: {QUEUE}", config.read_text())
    assert found == 1
    config.write_text(text)
    return target


@pytest.mark.slow
def test_overload(small_queue: Path, tmp_path: Path) -> None:
    settings = ServerSettings(
        model_repository=small_queue, http_port=0, grpc_port=0, metrics_port=0, log_file=tmp_path / "log"
    )
    options = ("SingleVideo", "--clip-length", "1", "--rate", "8", "--rate-per-user", "1", "--stage-seconds", "3")
    with TritonServer(settings) as server:
        checks = {check.name: check for check in overload(server, 6, options, tmp_path)}
    for name in ("no crash", "right answers to what is accepted", "refusals say that the queue is full"):
        assert checks[name].passed, checks
    stages = json.loads((tmp_path / "results.json").read_text())["stages"]
    spike = next(stage for stage in stages if stage["label"] == "spike")
    assert spike["rejected_p95"] < spike["p50"]  # who is refused need not wait as who is accepted must
