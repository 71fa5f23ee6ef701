"""A real Prometheus, with a real blackbox exporter, reads a real server: idle, under load, and files of all kinds."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton
import yaml

from panecho_server import TritonServer
from support.monitoring import PROMETHEUS, ROOT, dashboard_expressions, metric_names, rules
from support.wire import QUICK, infer_study

pytestmark = pytest.mark.slow

PROGRAMS = ("prometheus", "prometheus-blackbox-exporter")
CALLERS = 6
REQUESTS = 3
NOT_LOADED = "image_encoder"
WITHOUT_GPU = {"GPU", "GPU memory", "PanEchoGPUMemoryHigh"}
"""Triton exports metrics of a GPU only where there is one."""

WITHOUT_KUBERNETES = {
    "container_memory_working_set_bytes",
    "kube_pod_container_resource_limits",
    "kube_pod_container_status_ready",
    "nv_inference_request_summary_us",
}
"""What a cluster exports, and quantiles, for which the Deployment sets an option that the tests' server lacks."""

ONLY_WITHOUT_SERVER = {"PanEchoAbsent"}
"""`absent` has a value where there is nothing."""

Samples = list[dict[str, Any]]


class Prometheus:
    """Asks a Prometheus."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1/"

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"{self._api}{path}?{urllib.parse.urlencode(parameters)}"
        with opener.open(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> Samples:
        samples: Samples = self.get("query", query=expression)["result"]
        return samples

    def wait_for(self, expression: str, enough: Callable[[Samples], bool] = bool, seconds: float = 40) -> Samples:
        """Ask again until the answer is enough."""
        deadline = time.monotonic() + seconds
        samples: Samples = []
        while time.monotonic() < deadline:
            try:
                samples = self.query(expression)
            except OSError:  # still starting
                samples = []
            if enough(samples):
                return samples
            time.sleep(0.2)
        pytest.fail(f"{expression} gives {samples} after {seconds:.0f} s")


def value(samples: Samples) -> float:
    (sample,) = samples
    return float(sample["value"][1])


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(*command: str | Path) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def configuration(server: TritonServer, blackbox: int) -> str:
    """Return what is deployed with this server's addresses, each second, and a model that is not loaded."""
    text = (PROMETHEUS / "prometheus.yml").read_text()
    pod = f'"127.0.0.1:{server.metrics_port}"], labels: {{ namespace: panecho, pod: panecho-0 }}'
    for deployed, here in {
        "_interval: 15s": "_interval: 1s",
        '"triton:8002"]': pod,
        "triton:8000": server.http_url,
        "blackbox:9115": f"127.0.0.1:{blackbox}",
    }.items():
        assert deployed in text
        text = text.replace(deployed, here)
    config = yaml.safe_load(text)
    targets = config["scrape_configs"][1]["static_configs"][0]["targets"]
    targets.append(f"http://{server.http_url}/v2/models/{NOT_LOADED}/ready")
    return yaml.safe_dump(config)


@pytest.fixture(scope="module")
def prometheus(server: TritonServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs the Debian packages {' and '.join(missing)}")
    folder = tmp_path_factory.mktemp("prometheus")
    port, blackbox = free_port(), free_port()
    shutil.copytree(PROMETHEUS / "rules", folder / "rules")
    (folder / "prometheus.yml").write_text(configuration(server, blackbox))
    with ExitStack() as stack:
        listen = "--web.listen-address=127.0.0.1"
        exporter = [f"--config.file={PROMETHEUS / 'blackbox.yml'}", f"{listen}:{blackbox}"]
        stack.enter_context(running("prometheus-blackbox-exporter", *exporter))
        storage = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"{listen}:{port}"]
        stack.enter_context(running("prometheus", *storage))
        yield Prometheus(port)


def scaling_query(model: str | None = None) -> str:
    """Fill in the adapter's template as it does for the pod of this test."""
    values = yaml.safe_load((ROOT / "deploy/kubernetes/monitoring/prometheus-adapter-values.yaml").read_text())
    (rule,) = (rule for rule in values["rules"]["custom"] if rule["name"]["as"] == "panecho_queue_seconds_per_request")
    matchers = 'namespace="panecho",pod=~"panecho-0"' + (f',model="{model}"' if model else "")
    name = rule["seriesQuery"].partition("{")[0]
    filled = {"<<.Series>>": name, "<<.LabelMatchers>>": matchers, "<<.GroupBy>>": "pod"}
    query: str = rule["metricsQuery"]
    for field, text in filled.items():
        query = query.replace(field, text)
    assert "<<" not in query
    return query


@pytest.fixture(scope="module")
def idle(prometheus: Prometheus) -> dict[str | None, float]:
    """What the autoscaler reads while nothing comes: of each model, and of all."""
    prometheus.wait_for("panecho:queue_seconds_per_request:rate2m", lambda samples: len(samples) == 3)
    return {model: value(prometheus.query(scaling_query(model))) for model in ("preprocessing", "backbone", None)}


@pytest.fixture(scope="module")
def load(
    server: TritonServer, prometheus: Prometheus, cine: Path, idle: dict[str | None, float]
) -> dict[str | None, float]:
    """Several callers at a time, with a good study, a damaged file beside a good one, and junk alone; all is read."""
    good = cine.read_bytes()

    def call(_caller: int) -> None:
        client = triton.InferenceServerClient(server.grpc_url)
        for _ in range(REQUESTS):
            infer_study(client, triton, [good], ["EF"], QUICK)
        infer_study(client, triton, [good, good[:3000], b"junk"], ["EF"], QUICK)
        with pytest.raises(triton.InferenceServerException, match="NOT_A_VIDEO"):
            infer_study(client, triton, [b"junk"], ["EF"], QUICK)
        client.close()

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(call, range(CALLERS)))
    prometheus.wait_for("panecho:unreadable_ratio:rate15m > 0")
    prometheus.wait_for('rate(nv_inference_request_failure{job="panecho", model="panecho"}[1m]) > 0')
    return idle


def test_the_autoscalers_metric_rises_with_load(prometheus: Prometheus, load: dict[str | None, float]) -> None:
    for model, before in load.items():
        assert before == 0
        samples = prometheus.wait_for(scaling_query(model), lambda samples: bool(samples) and value(samples) > 0)
        assert samples[0]["metric"] == {"pod": "panecho-0"}
    found = prometheus.get("series", **{"match[]": 'panecho:queue_seconds_per_request:rate2m{namespace!="",pod!=""}'})
    assert {series["model"] for series in found} == {"preprocessing", "backbone", "postprocessing"}
    assert value(prometheus.query(scaling_query())) == max(
        value(prometheus.query(scaling_query(model))) for model in ("preprocessing", "backbone", "postprocessing")
    )


@pytest.mark.usefixtures("load")
def test_every_line_of_the_dashboard_has_data(prometheus: Prometheus) -> None:
    empty = {
        title
        for title, expression in dashboard_expressions()
        if not prometheus.query(expression) and not metric_names(expression) <= WITHOUT_KUBERNETES
    }
    assert empty <= WITHOUT_GPU


@pytest.mark.usefixtures("load")
def test_every_alert_has_data(prometheus: Prometheus) -> None:
    alerts = [rule for rule in rules(*sorted((PROMETHEUS / "rules").glob("*.yml"))) if "alert" in rule]
    empty = {
        rule["alert"]
        for rule in alerts
        if not prometheus.query(re.sub(r"\s(==|>)\s[0-9.]+(?=\s|\)|$)", "", rule["expr"]))
    }
    assert len(alerts) == 13
    assert empty <= WITHOUT_GPU | ONLY_WITHOUT_SERVER


@pytest.mark.usefixtures("load")
def test_every_rule_is_evaluated_without_error(prometheus: Prometheus) -> None:
    found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(rules(*(PROMETHEUS / "rules").glob("*.yml")))
    assert [(rule["name"], rule["lastError"]) for rule in found if rule.get("lastError")] == []
    assert {rule["health"] for rule in found} == {"ok"}


def test_the_model_that_is_not_ready_is_named(prometheus: Prometheus, server: TritonServer) -> None:
    with triton.InferenceServerClient(server.grpc_url) as client:
        client.unload_model(NOT_LOADED)  # another test may have had it loaded
    (alert,) = [rule for rule in rules(PROMETHEUS / "rules/readiness.yml") if rule["alert"] == "PanEchoModelNotReady"]
    (sample,) = prometheus.wait_for(alert["expr"], lambda samples: len(samples) == 1)
    assert (sample["metric"]["model"], sample["metric"]["instance"]) == (NOT_LOADED, server.http_url)
