"""A real server takes the Deployment's options, and no request is cut when its connection has become too old."""

from pathlib import Path

import pytest
from kubernetes_objects import render

from panecho_client import ClipOptions, Connection, PanEcho, Retry
from panecho_server import ServerSettings
from support.monitoring import exported, series
from support.serve import running_server

ROOT = Path(__file__).parents[2]
AGE = "grpc-max-connection-age"


def options() -> dict[str, str]:
    (deployment,) = (item for item in render(ROOT / "deploy/kubernetes/base", ROOT) if item["kind"] == "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


@pytest.mark.slow
def test_requests_outlive_their_connection(cold_repository: Path, cine: Path, tmp_path: Path) -> None:
    assert options()[AGE] == "300000"
    settings = ServerSettings(
        model_repository=cold_repository,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=tmp_path / "log",
        options=options() | {AGE: "200"},
    )
    with running_server(settings) as server:
        connection = Connection(url=server.grpc_url, retry=Retry(seconds=0))
        with PanEcho(connection) as panecho:
            # Each takes longer than a connection may live; nothing is tried again.
            studies = [
                panecho.predict_study(cine, tasks=["EF"], clip_options=ClipOptions(num_clips=1)) for _ in range(3)
            ]
        summaries = {
            dict(labels)["quantile"]: value
            for (name, labels), value in series(exported(server)).items()
            if name == "nv_inference_request_summary_us" and dict(labels)["model"] == "panecho"
        }
    assert 0 < summaries["0.5"] <= summaries["0.95"] <= summaries["0.99"]  # microseconds; what the dashboard shows
    assert studies[0]["EF"].value == pytest.approx(studies[2]["EF"].value, abs=1e-4)
