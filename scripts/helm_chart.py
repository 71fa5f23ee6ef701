"""Builds the Helm chart: deploy/helm/panecho with the objects that kustomize renders of deploy/kubernetes.

Usage: ``scripts/helm_chart.py [FOLDER]``, build/helm/panecho by default. Then ``helm install panecho FOLDER``. The
chart's templates choose among these objects and put values in; they repeat nothing of them.
"""

import itertools
import shutil
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts/validate"))

from kubernetes_objects import compose  # noqa: E402 - the path is set above
from kubernetes_stack import KubernetesObject  # noqa: E402 - the path is set above

CHART = ROOT / "deploy/helm/panecho"
ADDED: dict[str, list[str]] = {
    "autoscale": ["autoscale"],
    "keda": ["keda"],
    "gateway": ["gateway"],
    "gateway-envoy": ["gateway", "gateway-envoy"],
    "gateway-istio": ["gateway", "gateway-istio"],
    "gateway-nginx": ["gateway", "gateway-nginx"],
    "monitoring": ["../monitoring"],
    "storage": ["storage"],
}
"""Components that only add objects, by the chart's word for them."""
SOURCES: dict[str, list[str]] = {
    "claim": [],
    "object-store": ["object-store"],
    "object-store-identity": ["object-store", "object-store-identity"],
}
"""Where the models come from, by the chart's word for it."""


def stacks() -> dict[str, list[str]]:
    """Return the components of every choice that changes the pod."""
    found = {}
    for hardware, source, proxy, kserve in itertools.product(
        ("cpu", "gpu"), SOURCES, ([], ["auth-proxy"]), ([], ["kserve"])
    ):
        found["-".join([hardware, source, *proxy, *kserve])] = [hardware, *SOURCES[source], *proxy, *kserve]
    return found


def write(items: list[KubernetesObject], file: Path) -> None:
    """Write objects; Helm makes the namespace."""
    kept = [item for item in items if item["kind"] != "Namespace"]
    file.write_text(yaml.safe_dump_all(kept, sort_keys=False, allow_unicode=True, width=10_000))


def build(folder: Path) -> None:
    """Write the chart to a folder; what is there is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CHART, folder)
    files = folder / "files"
    files.mkdir()
    for name, components in stacks().items():
        write(compose(components, ROOT), files / f"{name}.yaml")
    without = compose(["gpu"], ROOT)
    for name, components in ADDED.items():
        whole = compose(["gpu", *components], ROOT)
        write([item for item in whole if item not in without], files / f"{name}.yaml")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/helm/panecho")
