"""The dashboard reads what a server really exports."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from panecho_server import TritonServer
from support.monitoring import (
    DASHBOARD,
    PROMETHEUS,
    ROOT,
    dashboard_expressions,
    exported,
    metric_names,
    panels,
    rules,
    series,
)

NOT_EXPORTED_HERE = {
    "up": "Prometheus makes it of each scrape",
    "ALERTS": "Prometheus makes it of each alert",
    "probe_success": "the blackbox exporter exports it",
    "kube_pod_container_status_ready": "kube-state-metrics exports it",
    "kube_pod_container_resource_limits": "kube-state-metrics exports it",
    "container_memory_working_set_bytes": "kubelet exports it",
    "nv_inference_request_summary_us": "with the option of the Deployment, and seen there: test_kubernetes_server.py",
}
NOT_WITHOUT_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}
"""Triton exports these only where DCGM finds a GPU."""


def recorded() -> set[str]:
    return {rule["record"] for rule in rules(PROMETHEUS / "rules/recording.yml")}


def test_every_metric_is_exported_by_a_server(server: TritonServer) -> None:
    names = {name for name, _ in series(exported(server))}
    read = {name for _, expression in dashboard_expressions() for name in metric_names(expression)}
    assert len(read) > 20
    assert read - names - recorded() - set(NOT_EXPORTED_HERE) - NOT_WITHOUT_GPU == set()


def test_every_metric_that_rules_record_from_is_exported_by_a_server(server: TritonServer) -> None:
    names = {name for name, _ in series(exported(server))}
    read = {name for rule in rules(PROMETHEUS / "rules/recording.yml") for name in metric_names(rule["expr"])}
    assert len(read) > 6
    assert read - names - recorded() == set()


def test_the_page_tells_what_is_exported_and_recorded(server: TritonServer) -> None:
    page = (ROOT / "docs/operate/monitoring.md").read_text()
    named = set(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))
    told = {name for cell in named for name in re.findall(r"`([a-z0-9_:]+)`", cell)}
    exports = {name for name, _ in series(exported(server))}
    ours = {re.sub("_(bucket|count|sum)$", "", name) for name in exports if name.startswith("panecho_")}
    assert ours | recorded() <= told
    assert told - exports - ours - recorded() == NOT_WITHOUT_GPU | {
        "nv_gpu_power_usage",
        "nv_inference_request_summary_us",
    }


def test_every_expression_parses(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool of the Debian package prometheus")
    lines = [{"record": f"line:{number}", "expr": expr} for number, (_, expr) in enumerate(dashboard_expressions())]
    as_rules = tmp_path / "dashboard.yml"
    for extra, returncode in ((), 0), (({"record": "line:broken", "expr": "sum(up"},), 1):
        as_rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [*lines, *extra]}]}))
        result = subprocess.run([promtool, "check", "rules", as_rules], capture_output=True, text=True, check=False)
        assert result.returncode == returncode, result.stdout + result.stderr


def test_panels_have_a_place_and_a_source_of_their_own() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels():
        sources = {target["datasource"]["uid"] for target in panel["targets"]} | {panel["datasource"]["uid"]}
        assert sources == {"${datasource}"}, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_grafana_is_pointed_at_the_dashboard_and_at_prometheus() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((provisioning / "dashboards/panecho.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
