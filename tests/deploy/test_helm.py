"""The Helm chart renders what kustomize renders, and refuses values that do not fit each other."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_chart import CHART, build
from kubernetes_objects import compose, stack_problems
from kubernetes_stack import KubernetesObject

ROOT = Path(__file__).parents[2]
HELM = os.environ.get("HELM", shutil.which("helm"))
SHA256 = "ab" * 32

pytestmark = [pytest.mark.slow, pytest.mark.skipif(HELM is None, reason="needs helm 3.16 or newer: https://helm.sh")]


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("helm") / "panecho"
    build(folder)
    return folder


def helm(chart: Path, namespace: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [str(HELM), "template", "panecho", str(chart), "--namespace", namespace, "--values", "-"]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)


def rendered(chart: Path, namespace: str = "panecho", **values: Any) -> list[KubernetesObject]:  # noqa: ANN401 - values of a chart
    done = helm(chart, namespace, values)
    assert done.returncode == 0, done.stderr
    items = [item for item in yaml.safe_load_all(done.stdout) if item]
    return [item for item in items if "helm.sh/hook" not in item["metadata"].get("annotations", {})]


def by_name(items: list[KubernetesObject]) -> dict[tuple[str, str], KubernetesObject]:
    return {(item["kind"], item["metadata"]["name"]): item for item in items if item["kind"] != "Namespace"}


@pytest.mark.parametrize(
    ("components", "values"),
    [
        (["gpu", "storage"], {}),
        (["cpu", "storage", "autoscale"], {"hardware": "cpu", "scaling": "autoscale"}),
        (
            ["gpu", "auth-proxy", "keda", "../monitoring"],
            {"models": {"existingClaim": "panecho-model-repository"}, "access": "auth-proxy", "scaling": "keda"}
            | {"monitoring": True},
        ),
        (
            ["gpu", "object-store", "gateway", "gateway-envoy"],
            {"models": {"source": "object-store", "sha256": SHA256}, "access": "gateway-envoy"},
        ),
        (["gpu", "storage", "gateway", "gateway-istio"], {"access": "gateway-istio"}),
        (["gpu", "storage", "gateway", "gateway-nginx"], {"access": "gateway-nginx"}),
        (
            ["cpu", "object-store", "object-store-identity", "kserve"],
            {"hardware": "cpu", "models": {"source": "object-store-identity", "sha256": SHA256}, "scaling": "kserve"},
        ),
    ],
)
def test_it_renders_what_kustomize_renders(chart: Path, components: list[str], values: dict[str, Any]) -> None:
    expected = yaml.safe_load(yaml.safe_dump(compose(components, ROOT)).replace("value: set-me", f"value: {SHA256}"))
    items = rendered(chart, **values)
    assert by_name(items) == by_name(expected)
    assert stack_problems(items, ROOT) == []


def test_values_arrive(chart: Path) -> None:
    items = by_name(
        rendered(
            chart,
            "heart",
            registry="registry.test/heart",
            replicas=3,
            models={"storageClass": "efs", "size": "8Gi"},
            access="gateway",
            gateway={"className": "istio", "host": "echo.test"},
        )
    )
    assert {item["metadata"]["namespace"] for item in items.values()} == {"heart"}
    deployment = items["Deployment", "panecho"]["spec"]
    assert deployment["replicas"] == 3
    assert deployment["template"]["spec"]["containers"][0]["image"].startswith(
        "registry.test/heart/panecho-triton-server:"
    )
    claim = items["PersistentVolumeClaim", "panecho-model-repository"]["spec"]
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("efs", "8Gi")
    assert items["Gateway", "panecho"]["spec"]["gatewayClassName"] == "istio"
    assert items["GRPCRoute", "panecho"]["spec"]["hostnames"] == ["echo.test"]


def test_the_guides_command_renders(chart: Path) -> None:
    guide = (ROOT / "docs/operate/kubernetes.md").read_text()
    (values,) = re.findall(r"^helm upgrade .*panecho .*\\\n +--set (.*)$", guide, re.MULTILINE)
    given = values.replace("$REGISTRY", "registry.test").replace("$HARDWARE", "cpu")
    command = [str(HELM), "template", "panecho", str(chart), "--namespace", "panecho", "--set", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "registry.test/panecho-triton-server:" in done.stdout


def test_the_alerts_link_to_ones_own_page(chart: Path) -> None:
    own = "https://docs.test/monitoring.html"
    rules = by_name(rendered(chart, monitoring=True, runbooks=own))["PrometheusRule", "panecho"]
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    assert {alert["annotations"]["runbook_url"].partition("#")[0] for alert in alerts} == {own}


def test_a_claim_of_ones_own(chart: Path) -> None:
    items = by_name(rendered(chart, models={"existingClaim": "mine"}))
    assert ("PersistentVolumeClaim", "panecho-model-repository") not in items
    volumes = items["Deployment", "panecho"]["spec"]["template"]["spec"]["volumes"]
    assert {"claimName": "mine", "readOnly": True} in [volume.get("persistentVolumeClaim") for volume in volumes]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hardware": "tpu"}, "/hardware"),
        ({"scaling": "kserve", "access": "gateway"}, "/access"),
        ({"scaling": "keda", "replicas": 2}, "/scaling"),
        ({"models": {"source": "object-store"}}, "/models/sha256"),
        ({"models": {"source": "object-store-identity"}}, "/models/sha256"),
        ({"registries": "x"}, "registries"),
        ({"runbooks": "https://docs.test/"}, "/monitoring"),
    ],
)
def test_values_that_do_not_fit_are_refused(chart: Path, values: dict[str, Any], said: str) -> None:
    done = helm(chart, "panecho", values)
    assert done.returncode != 0
    assert said in done.stderr.replace("'/", "/").replace(".", "/")


@pytest.mark.parametrize(
    ("access", "url"), [("none", "http://panecho:8000"), ("auth-proxy", "https://panecho-headless:8443")]
)
def test_helm_test_asks_where_servers_listen(chart: Path, access: str, url: str) -> None:
    items = yaml.safe_load_all(helm(chart, "panecho", {"access": access}).stdout)
    (pod,) = (item for item in items if item and item["kind"] == "Pod")
    assert pod["metadata"]["labels"] == {"panecho-client": "true"}
    assert f'"{url}/v2/health/ready"' in pod["spec"]["containers"][0]["args"][0]


def test_chart_and_client_have_one_version() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = next(
        line.split('"')[1]
        for line in (ROOT / "client/pyproject.toml").read_text().splitlines()
        if line.startswith("version")
    )
    assert described["version"] == described["appVersion"] == version
