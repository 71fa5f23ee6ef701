"""Serving settings by profile, and what a server does with more requests than may wait."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from panecho_client import ClipOptions, Connection, PanEcho, Retry, ServerBusyError
from panecho_export.config_rendering import rendered, write
from panecho_export.serving_profiles import PROFILES, Serving
from panecho_server import RepositoryError, ServerSettings, TritonServer
from support.serve import running_server

SAMPLING = ClipOptions(num_clips=1, clip_length=4)


def settings_of(repository: Path, profile: str, log_file: Path) -> ServerSettings:
    return ServerSettings(
        model_repository=repository, profile=profile, log_file=log_file, http_port=0, grpc_port=0, metrics_port=0
    )


@pytest.fixture(scope="module")
def narrow_server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server of a profile in which hardly any request may wait for the backbone."""
    folder = tmp_path_factory.mktemp("narrow")
    narrow = {"backbone": Serving(instances=1, queue_size=1), "preprocessing": Serving(instances=3)}
    copy = folder / "repository"
    shutil.copytree(repository, copy, copy_function=os.link)
    texts = {path: text for path, text in rendered(copy, profiles={"narrow": narrow}).items() if path.stem == "narrow"}
    write({path: text.partition("model_warmup")[0] for path, text in texts.items()})
    with running_server(settings_of(copy, "narrow", folder / "log")) as running:
        yield running


def config_of(server: TritonServer, model: str) -> Any:  # noqa: ANN401 - a part of Triton's answer
    with urllib.request.urlopen(f"http://{server.http_url}/v2/models/{model}/config", timeout=10) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_a_profile_replaces_the_settings_of_the_models_it_names(narrow_server: TritonServer) -> None:
    backbone = config_of(narrow_server, "backbone")
    assert backbone["dynamic_batching"]["default_queue_policy"]["max_queue_size"] == 1
    assert config_of(narrow_server, "preprocessing")["instance_group"][0]["count"] == 3
    assert backbone["dynamic_batching"]["default_queue_policy"]["timeout_action"] == "REJECT"
    assert "dynamic_batching" not in config_of(narrow_server, "postprocessing")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_what_cannot_wait_is_refused_and_the_rest_is_right(
    narrow_server: TritonServer, cine: Path, scheme: str
) -> None:
    url = f"{scheme}{narrow_server.http_url}" if scheme else narrow_server.grpc_url
    once = Connection(url=url, retry=Retry(seconds=0))
    with PanEcho(once) as panecho:
        expected = panecho.predict_study(cine, clip_options=SAMPLING)["EF"].value

    def call(_number: int) -> float | str:
        with PanEcho(once) as panecho:
            try:
                return panecho.predict_study(cine, clip_options=SAMPLING)["EF"].value
            except ServerBusyError as error:
                return str(error)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(call, range(12)))
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert [answer for answer in answers if isinstance(answer, float)] == pytest.approx(
        [expected] * (12 - len(refused)), abs=1e-4
    )
    assert 1 <= len(refused) <= 11
    assert all("takes no more requests now" in text and "send it again later" in text for text in refused)


@pytest.mark.slow
def test_a_client_that_tries_again_loses_nothing(narrow_server: TritonServer, cine: Path) -> None:
    def call(_number: int) -> float:
        with PanEcho(Connection(url=narrow_server.grpc_url, retry=Retry(seconds=120, longest_wait=1))) as panecho:
            return panecho.predict_study(cine, clip_options=SAMPLING)["EF"].value

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(call, range(12)))
    assert answers == pytest.approx([answers[0]] * 12, abs=1e-4)


def test_an_unknown_profile_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"has no profile 'tpu': it has cpu, gpu"):
        TritonServer(settings_of(repository, "tpu", tmp_path / "log"))


def test_every_profile_bounds_the_queue_before_the_backbone() -> None:
    assert set(PROFILES) == {"cpu", "gpu"}
    for profile in PROFILES.values():
        assert set(profile) == {"preprocessing", "backbone"}
        queue_size = profile["backbone"].queue_size
        assert queue_size is not None
        assert 0 < queue_size <= 256
