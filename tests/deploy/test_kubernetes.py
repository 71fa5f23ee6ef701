"""Every Kubernetes object passes a strict check, and a fault in an object of any kind is found and named."""

import copy
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from kubernetes_objects import kustomizations, name_of, problem
from kubernetes_stack import KubernetesObject

from support.manifests import rendered_objects

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
VALIDATE = ROOT / "scripts/validate/kubernetes"

Fault: TypeAlias = Callable[[KubernetesObject], Any]


@pytest.fixture(scope="module")
def objects() -> dict[str, KubernetesObject]:
    """An object of each kind."""
    return {item["kind"]: item for items in rendered_objects().values() for item in items}


@pytest.mark.long  # `make validate-deploy` runs the same
def test_every_object_passes() -> None:
    finished = subprocess.run([VALIDATE], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(folder.relative_to(ROOT)) for folder in kustomizations(ROOT)
    ]
    for overlay in ("base", "overlays/cpu", "overlays/gpu", "components/autoscale", "overlays/kserve"):
        assert any(line.startswith(f"deploy/kubernetes/{overlay}: ") for line in lines)


def wrong_type(*path: str | int) -> Fault:
    """Return what puts a list where the field at the path is something else."""

    def break_it(item: KubernetesObject) -> None:
        parent: Any = item
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = [5]

    return break_it


def unknown_field(*path: str | int) -> Fault:
    """Return what adds a field that does not exist to the object at the path."""

    def break_it(item: KubernetesObject) -> None:
        parent: Any = item
        for step in path:
            parent = parent[step]
        parent["nonsense"] = "x"

    return break_it


POD = ("spec", "template", "spec")
FAULTS: dict[str, tuple[tuple[Fault, str], ...]] = {
    "AuthenticationFilter": (
        (wrong_type("spec", "basic", "realm"), "spec.basic.realm: [5]"),
        (unknown_field("spec", "basic"), "spec.basic: "),
    ),
    "BackendTrafficPolicy": (
        (wrong_type("spec", "timeout", "http", "requestTimeout"), "spec.timeout.http.requestTimeout: [5]"),
        (unknown_field("spec", "timeout", "http"), "spec.timeout.http: "),
    ),
    "ConfigMap": ((wrong_type("data"), "data: [5]"), (unknown_field(), "'nonsense' was unexpected")),
    "Deployment": (
        (wrong_type("spec", "revisionHistoryLimit"), "spec.revisionHistoryLimit: [5]"),
        (unknown_field(*POD, "containers", 0, "readinessProbe"), f"{'.'.join(POD)}.containers[0].readinessProbe: "),
        (unknown_field(*POD, "securityContext"), f"{'.'.join(POD)}.securityContext: "),
    ),
    "GRPCRoute": (
        (wrong_type("spec", "rules", 0, "backendRefs", 0, "port"), "spec.rules[0].backendRefs[0].port: [5]"),
        (unknown_field("spec", "rules", 0, "matches", 0, "method"), "spec.rules[0].matches[0].method: "),
        (unknown_field("metadata"), "metadata: "),
    ),
    "Gateway": (
        (wrong_type("spec", "listeners", 0, "hostname"), "spec.listeners[0].hostname: [5]"),
        (unknown_field("spec", "listeners", 0, "tls"), "spec.listeners[0].tls: "),
    ),
    "HorizontalPodAutoscaler": (
        (wrong_type("spec", "metrics", 0, "pods", "metric", "name"), "spec.metrics[0].pods.metric.name: [5]"),
        (unknown_field("spec", "behavior"), "spec.behavior: "),
    ),
    "InferenceService": (
        (wrong_type("spec", "predictor", "minReplicas"), "spec.predictor.minReplicas: [5]"),
        (unknown_field("spec", "predictor", "containers", 0), "spec.predictor.containers[0]: "),
    ),
    "Job": (
        (wrong_type("spec", "completions"), "spec.completions: [5]"),
        (unknown_field("spec", "podFailurePolicy"), "spec.podFailurePolicy: "),
    ),
    "Namespace": (
        (wrong_type("metadata", "name"), "metadata.name: [5]"),
        (unknown_field("metadata"), "metadata: "),
    ),
    "NetworkPolicy": (
        (wrong_type("spec", "policyTypes", 0), "spec.policyTypes[0]: [5]"),
        (unknown_field("spec"), "spec: "),
    ),
    "PersistentVolumeClaim": (
        (wrong_type("spec", "accessModes", 0), "spec.accessModes[0]: [5]"),
        (unknown_field("spec", "resources"), "spec.resources: "),
    ),
    "Pod": (
        (wrong_type("spec", "restartPolicy"), "spec.restartPolicy: [5]"),
        (unknown_field("spec", "containers", 0), "spec.containers[0]: "),
    ),
    "PodDisruptionBudget": (
        (wrong_type("spec", "unhealthyPodEvictionPolicy"), "spec.unhealthyPodEvictionPolicy: [5]"),
        (unknown_field("spec"), "spec: "),
    ),
    "PodMonitor": (
        (wrong_type("spec", "podMetricsEndpoints", 0, "interval"), "spec.podMetricsEndpoints[0].interval: [5]"),
        (unknown_field("spec", "podMetricsEndpoints", 0), "spec.podMetricsEndpoints[0]: "),
    ),
    "PrometheusRule": (
        (wrong_type("spec", "groups", 0, "rules", 0, "record"), "spec.groups[0].rules[0].record: [5]"),
        (unknown_field("spec", "groups", 0, "rules", 0), "spec.groups[0].rules[0]: "),
    ),
    "ScaledObject": (
        (wrong_type("spec", "triggers", 0, "metadata", "threshold"), "spec.triggers[0].metadata.threshold: [5]"),
        (unknown_field("spec", "scaleTargetRef"), "spec.scaleTargetRef: "),
        (unknown_field("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior"), "behavior: "),
    ),
    "SecurityPolicy": (
        (wrong_type("spec", "apiKeyAuth", "credentialRefs", 0, "name"), "spec.apiKeyAuth.credentialRefs[0].name: [5]"),
        (unknown_field("spec", "apiKeyAuth"), "spec.apiKeyAuth: "),
    ),
    "SnippetsFilter": (
        (wrong_type("spec", "snippets", 0, "value"), "spec.snippets[0].value: [5]"),
        (unknown_field("spec", "snippets", 0), "spec.snippets[0]: "),
    ),
    "ServiceAccount": (
        (wrong_type("automountServiceAccountToken"), "automountServiceAccountToken: [5]"),
        (unknown_field(), "'nonsense' was unexpected"),
    ),
    "Service": (
        (wrong_type("spec", "ports", 0, "port"), "spec.ports[0].port: [5]"),
        (unknown_field("spec"), "spec: "),
    ),
}


def test_every_kind_is_broken_below(objects: dict[str, KubernetesObject]) -> None:
    assert sorted(objects) == sorted(FAULTS)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_broken_field_is_named(kind: str, objects: dict[str, KubernetesObject]) -> None:
    for break_it, said in FAULTS[kind]:
        item = copy.deepcopy(objects[kind])
        assert problem(item, ROOT) is None
        break_it(item)
        found = problem(item, ROOT)
        assert found is not None
        assert said in found
        assert "[5]" in found or "'nonsense' was unexpected" in found


def test_a_kind_without_a_schema_fails() -> None:
    item = {"apiVersion": "example.org/v1", "kind": "Novelty", "metadata": {"name": "new"}}
    assert problem(item, ROOT) == (
        "there is no schema of example.org/v1 Novelty, so nobody checks it; add schemas/novelty-example.org-v1.json"
    )
    assert name_of(item) == "Novelty/new"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for folder in ("kubernetes", "grafana", "docker", "nginx"):
        shutil.copytree(ROOT / "deploy" / folder, tmp_path / "deploy" / folder)
    return tmp_path


@pytest.mark.long  # renders everything again; the checks themselves are tested one by one
def test_the_command_names_overlay_object_and_field(copied: Path) -> None:
    folder = copied / "deploy/kubernetes"
    deployment = folder / "base/deployment.yaml"
    deployment.write_text(deployment.read_text().replace("runAsNonRoot: true", 'runAsNonRoot: "yes"'))
    (folder / "loader/kustomization.yaml").write_text("resources: [gone.yaml]\nkind: Kustomization\n")
    (folder / "storage/namespace.yaml").write_text("{kind: Novelty, apiVersion: example.org/v1, metadata: {name: new}}")
    finished = subprocess.run([VALIDATE, copied], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    wrong = finished.stderr.splitlines()
    field = "Deployment/panecho: spec.template.spec.securityContext.runAsNonRoot: 'yes' is not of type"
    for overlay in ("base", "overlays/cpu", "overlays/gpu", "components/autoscale", "components/gateway", "monitoring"):
        assert any(line.startswith(f"deploy/kubernetes/{overlay}: {field}") for line in wrong)
    assert any(line.startswith("deploy/kubernetes/storage: Novelty/new: there is no schema") for line in wrong)
    (unrendered,) = (line for line in wrong if line.startswith("deploy/kubernetes/loader: "))
    assert "kubectl cannot render it" in unrendered
    assert "gone.yaml" in unrendered


def test_the_command_says_that_there_is_nothing(tmp_path: Path) -> None:
    finished = subprocess.run([VALIDATE, tmp_path], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert "holds no kustomization" in finished.stderr


def test_kubectl_is_the_one_that_kubernetes_released() -> None:
    kubectl = Path(sys.executable).with_name("kubectl")
    with kubectl.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    # https://dl.k8s.io/release/v1.37.1/bin/linux/amd64/kubectl.sha256
    assert digest == "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8"
