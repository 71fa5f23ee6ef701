"""What a server exports, and what dashboard and rules read of it."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from pydicom import dcmread

from panecho_server import TritonServer

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARD = ROOT / "deploy/grafana/dashboards/panecho.json"

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Value by name and labels."""

_METRIC = re.compile(r"\b(?:(?:nv|panecho|probe|kube|container)[a-z0-9_:]*|up|ALERTS)\b(?!\s*[=!(])")
_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_STRING = re.compile(r'"[^"]*"')


def exported(server: TritonServer) -> str:
    """Return what Prometheus would read."""
    url = f"http://{server.settings.host}:{server.metrics_port}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read().decode())


def series(text: str) -> Series:
    """Return every sample of an export."""
    return {
        (sample["name"], frozenset(_LABEL.findall(sample["labels"] or ""))): float(sample["value"])
        for sample in _SAMPLE.finditer(text)
    }


def metric_names(expression: str) -> set[str]:
    """Return the metrics that a PromQL expression reads."""
    return set(_METRIC.findall(_STRING.sub('""', expression)))


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels, rows left out."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> list[tuple[str, str]]:
    """Return title and PromQL of every line of every panel, with Grafana's variables filled in."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*"))
        for panel in panels()
        for target in panel["targets"]
    ]


def rules(*paths: Path) -> list[dict[str, Any]]:
    """Return the rules of rule files."""
    return [rule for path in paths for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def identifiers(dicom: Path) -> list[str]:
    """Return names, times and unique identifiers of a DICOM file, of its patient, study and all else."""
    dataset = dcmread(dicom, stop_before_pixels=True)
    values = [str(element.value) for element in dataset if element.VR in {"PN", "DA", "TM", "UI"}]
    found = [value for value in [*values, str(dataset.PatientID)] if len(value) > 4]
    assert str(dataset.StudyInstanceUID) in found
    return found
