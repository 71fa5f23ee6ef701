"""The rules of Prometheus: valid, tested one by one, explained, and told when they are broken."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from panecho_preprocessing import VideoErrorCode
from support.monitoring import PROMETHEUS, ROOT, metric_names, rules

VALIDATE = ROOT / "scripts/validate/prometheus"
KUBERNETES = ROOT / "deploy/kubernetes/monitoring"
RULE_FILES = [*sorted((PROMETHEUS / "rules").glob("*.yml")), KUBERNETES / "rules.yml"]
ALERTS = [rule for rule in rules(*RULE_FILES) if "alert" in rule]
PUBLISHED = "https://panecho.example.org/operate/monitoring.html"
NO_FAULT_OF_THE_FILE = {
    "NOT_A_VIDEO",
    "NOT_ULTRASOUND",
    "NOT_TRANSTHORACIC",
    "NOT_A_CINE",
    "DUPLICATE",
    "SPECTRAL_DOPPLER",
    "M_MODE",
    "VOLUME",
    "STRUCTURED_REPORT",
    "WAVEFORM",
    "DICOMDIR",
    "NO_FRAME_RATE",
    "LOW_FRAME_RATE",
}
"""What studies hold besides cines, and what a request asked for."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool of the Debian package prometheus")
    for folder in ("deploy/prometheus", "deploy/kubernetes/monitoring"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def validate(root: Path) -> tuple[int, str]:
    result = subprocess.run([VALIDATE, root], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.long  # `make validate-deploy` runs the same
def test_this_checkout_is_valid(copy: Path) -> None:
    code, said = validate(copy)
    assert code == 0, said
    assert said.count("SUCCESS") >= len(RULE_FILES)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        ("prometheus.yml", "scrape_interval: 15s", "scrape_interval: often", "often"),
        ("rules/alerts.yml", 'up{job="panecho"} == 0', 'up{job="panecho" == 0', "alerts.yml"),
        pytest.param("rules/alerts.yml", "for: 2m", "for: soon", "soon", marks=pytest.mark.long),
        pytest.param(
            "rules/alerts.yml", "$labels.instance }} does", "$label.instance }} does", "$label", marks=pytest.mark.long
        ),
        pytest.param(
            "rules/alerts.yml",
            'up{job="panecho"} == 0',
            'up{job="panecho"} == 1',
            "FAILED",
            marks=pytest.mark.long,  # runs all unit tests of the rules
        ),
        pytest.param("rules/recording.yml", "/ 1e6", "/ 1e3", "FAILED", marks=pytest.mark.long),
        pytest.param(
            "rules/recording.yml",
            "record: panecho:faults:rate5m",
            "record: panecho:fault_ratio:rate5m",
            "duplicate",
            marks=pytest.mark.long,
        ),
    ],
)
def test_what_is_broken_is_told(copy: Path, file: str, right: str, wrong: str, told: str) -> None:
    broken = copy / "deploy/prometheus" / file
    text = broken.read_text()
    assert right in text
    broken.write_text(text.replace(right, wrong, 1))
    code, said = validate(copy)
    assert code in {1, 3}, said  # 3: a lint of promtool
    assert told in said


def test_a_prometheusrule_that_was_not_rendered_is_told(copy: Path) -> None:
    rendered = copy / "deploy/kubernetes/monitoring/prometheusrule.yaml"
    rendered.write_text(rendered.read_text().replace("> 0.05", "> 0.5"))
    code, said = validate(copy)
    assert code == 1
    assert "deploy/kubernetes/monitoring/render >" in said


def test_kubernetes_has_the_same_rules() -> None:
    rendered = yaml.safe_load((KUBERNETES / "prometheusrule.yaml").read_text())
    names = {rule.get("alert") for group in rendered["spec"]["groups"] for rule in group["rules"]}
    here = {rule.get("alert") for rule in rules(*RULE_FILES)}
    assert here - names == {"PanEchoModelNotReady", "PanEchoReadinessUnknown"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page == PUBLISHED
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/operate/monitoring.md").read_text(), re.MULTILINE)
    assert alert["alert"] in headings
    assert anchor == alert["alert"].lower()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_is_seen_to_fire_and_to_keep_quiet(alert: dict[str, Any]) -> None:
    firing = re.compile(rf'ALERTS\{{alertname="{alert["alert"]}", alertstate="firing"\}}')
    seen = {
        bool(test["exp_samples"])
        for file in (PROMETHEUS / "tests").glob("*.yml")
        for case in yaml.safe_load(file.read_text())["tests"]
        for test in case["promql_expr_test"]
        if firing.fullmatch(test["expr"])
    }
    assert seen == {True, False}


def test_every_status_is_either_a_fault_or_none() -> None:
    (rule,) = [rule for rule in rules(*RULE_FILES) if rule.get("record") == "panecho:unreadable_ratio:rate15m"]
    (statuses,) = re.findall(r'status=~"([A-Z_|0-9]+)"', rule["expr"])
    faults = set(statuses.split("|"))
    assert faults & NO_FAULT_OF_THE_FILE == set()
    assert faults | NO_FAULT_OF_THE_FILE == set(VideoErrorCode)


def test_the_autoscaler_reads_what_is_recorded() -> None:
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter-values.yaml").read_text())
    names = {rule["name"]["as"]: rule for rule in values["rules"]["custom"]}
    assert names.keys() == {"panecho_queue_seconds_per_request", "panecho_waiting_requests"}
    for rule in names.values():
        assert metric_names(rule["seriesQuery"]) <= {rule.get("record") for rule in rules(*RULE_FILES)}
    assert "default" not in values["rules"]  # other teams' rules stay


def test_the_queries_of_keda_are_tested_on_the_shape_of_a_gpu_server() -> None:
    scaled = yaml.safe_load((ROOT / "deploy/kubernetes/components/keda/scaled-object.yaml").read_text())
    queries = {trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]}
    cases = yaml.safe_load((PROMETHEUS / "tests/gpu.yml").read_text())["tests"]
    tested = {test["expr"] for case in cases for test in case["promql_expr_test"]}
    assert queries <= tested


def test_no_rule_joins_series_that_a_gpu_splits() -> None:
    for rule in rules(*RULE_FILES):
        inner = re.sub(r"\{[^}]*\}|\[\w+\]", "", rule["expr"])
        for found in re.finditer(r"without \(([^)]*)\)\s*\(\s*(?:\w+\(\s*)?(nv_inference_\w+)", inner):
            assert "gpu_uuid" in found[1], (rule, found[2])
        assert len(re.findall(r"nv_inference_\w+", inner)) == len(
            re.findall(r"without \(gpu_uuid[^)]*\)\s*\(\s*(?:\w+\(\s*)?nv_inference_\w+", inner)
        ), rule
