"""Some seconds of what takes half an hour: bad files among the good, and whether anything grows."""

import json
from pathlib import Path

import pytest
from load_tests.embedded.checks import Expectation
from load_tests.embedded.process_monitor import Holding, slope
from load_tests.soak import soak

from panecho_server import ServerSettings, TritonServer


@pytest.mark.slow
@pytest.mark.long
def test_soak(cold_repository: Path, tmp_path: Path) -> None:
    settings = ServerSettings(
        model_repository=cold_repository, http_port=0, grpc_port=0, metrics_port=0, log_file=tmp_path / "log"
    )
    options = ("Mixed", "--clip-length", "1", "--bad-ratio", "0.3", "--rate-per-user", "1", "--stages", "10")
    with TritonServer(settings) as server:
        checks = {check.name: check for check in soak(server, 30, 4, options, tmp_path)}
    assert checks["no crash"] == Expectation("no crash", True, "same processes, models ready")
    assert checks["right answers; unusable files refused"].passed, checks
    assert set(checks) > {"memory: no growth", "shared memory: no growth", "handles: no growth", "latency: no drift"}
    watched = json.loads((tmp_path / "results.json").read_text())["server"]
    assert len(watched) > 5
    assert min(point["memory"] for point in watched) > 100
    assert min(point["shared_memory"] for point in watched) > 0
    assert min(point["handles"] for point in watched) > 20
    assert "The server's processes" in (tmp_path / "report.html").read_text()


def test_slope_of_memory() -> None:
    growing = [
        Holding(at=1e9 + second, memory=800 + second / 60, shared_memory=0, handles=0, threads=0)
        for second in range(600)
    ]
    assert slope(growing) == pytest.approx(60)
    assert slope(growing[:1]) == 0
