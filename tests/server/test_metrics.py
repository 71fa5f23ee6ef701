"""What preprocessing tells Prometheus of the requests it answers, on a real server with its two instances."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tritonclient.grpc as triton

from panecho_preprocessing import VideoErrorCode
from panecho_server import ServerSettings, TritonServer
from support.monitoring import Series, exported, identifiers, series
from support.serve import running_server
from support.wire import QUICK, study_inputs

JUNK = b"junk"
LABELS = {
    "model": {"preprocessing"},
    "outcome": {"ok", "no_usable_video", "invalid", "cancelled", "short_of_memory", "failed"},
    "status": {"ok", *VideoErrorCode},
    "le": {"0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "25", "+Inf"},
}


def ours(server: TritonServer) -> Series:
    return {key: value for key, value in series(exported(server)).items() if key[0].startswith("panecho_")}


def preprocess(server: TritonServer, files: Sequence[bytes], **parameters: int | str) -> None:
    client = triton.InferenceServerClient(server.grpc_url)
    client.infer("preprocessing", study_inputs(triton, files), parameters=QUICK | parameters)
    client.close()


def added(server: TritonServer, work: Callable[[], object]) -> dict[str, float]:
    """Return by how much each series grew, by its name and what it is labelled with besides the model."""
    before = ours(server)
    work()
    after = ours(server)
    assert after.keys() == before.keys()
    changed = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    kinds = {key: [value for name, value in key[1] if name != "model"] for key in changed}
    return {" ".join([key[0], *kinds[key]]): value for key, value in changed.items() if "_bucket" not in key[0]}


def refused(server: TritonServer, files: Sequence[bytes], **parameters: int | str) -> None:
    with pytest.raises(triton.InferenceServerException):
        preprocess(server, files, **parameters)


def test_a_study_is_counted(server: TritonServer, cine: Path) -> None:
    good = cine.read_bytes()
    video = cine.with_name("sonosite_h264.mp4").read_bytes()
    grown = added(server, lambda: preprocess(server, [good, JUNK, video, good], num_clips=3))
    assert 0 < grown.pop("panecho_preprocessing_seconds_sum") < 60
    assert grown == {
        "panecho_requests_total ok": 1,
        "panecho_videos_total ok": 2,
        "panecho_videos_total NOT_A_VIDEO": 1,
        "panecho_videos_total DUPLICATE": 1,
        "panecho_clips_total": 6,
        "panecho_received_bytes_total": 2 * len(good) + len(JUNK) + len(video),
        "panecho_preprocessing_seconds_count": 1,
    }


@pytest.mark.parametrize(
    ("junk", "parameters", "counted"),
    [
        ([JUNK, b""], {}, ("no_usable_video", "NOT_A_VIDEO", "EMPTY_FILE")),
        ([], {"num_clips": 99}, ("invalid",)),
        ([JUNK], {"on_error": "fail"}, ("invalid",)),
    ],
)
def test_what_is_refused_is_counted_by_the_reason(
    server: TritonServer, cine: Path, junk: list[bytes], parameters: dict[str, int | str], counted: tuple[str, ...]
) -> None:
    outcome, *statuses = counted
    files = junk if statuses else [cine.read_bytes(), *junk]
    grown = added(server, lambda: refused(server, files, **parameters))
    grown.pop("panecho_preprocessing_seconds_sum")
    assert grown == {
        f"panecho_requests_total {outcome}": 1,
        **{f"panecho_videos_total {status}": 1 for status in statuses},
        "panecho_received_bytes_total": sum(map(len, files)),
        "panecho_preprocessing_seconds_count": 1,
    }


def test_the_instances_add_up(server: TritonServer, cine: Path) -> None:
    good = cine.read_bytes()

    def several() -> None:
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: preprocess(server, [good]), range(24)))

    grown = added(server, several)
    assert grown["panecho_requests_total ok"] == grown["panecho_preprocessing_seconds_count"] == 24


def test_every_series_is_there_and_names_nothing_of_a_file(server: TritonServer, cine: Path) -> None:
    preprocess(server, [cine.read_bytes()])
    text = exported(server)
    found: dict[str, set[str]] = {}
    for _, labels in ours(server):
        for name, value in labels:
            found.setdefault(name, set()).add(value)
    assert found == LABELS
    for value in identifiers(cine):
        assert value not in text


@pytest.mark.slow
def test_a_server_without_metrics_serves(cold_repository: Path, cine: Path, tmp_path: Path) -> None:
    settings = ServerSettings(
        model_repository=cold_repository,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=tmp_path / "log",
        options={"allow-metrics": "false"},
    )
    with running_server(settings) as server:
        preprocess(server, [cine.read_bytes()])
        refused(server, [JUNK])
        with pytest.raises(OSError, match="refused"):
            exported(server)
