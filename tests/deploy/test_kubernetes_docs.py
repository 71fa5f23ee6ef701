"""The walk-through of docs/operate/kubernetes.md names what there is, and what of it runs without a cluster runs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from kubernetes_objects import kustomizations, render

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/operate/kubernetes.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
VERSION = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]["version"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    return tmp_path


def run(script: str, folder: Path, hardware: str = "gpu") -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "REGISTRY": "registry.test/heart", "HARDWARE": hardware}
    finished = subprocess.run(
        ["/bin/sh", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def block(start: str) -> str:
    found: list[str] = [text for text in BLOCKS if start in text]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("hardware", ["cpu", "gpu"])
def test_a_kustomization_of_ones_own(hardware: str, checkout: Path) -> None:
    script = block("mkdir deploy/kubernetes/site\n").partition("kubectl apply")[0]
    (deployment,) = (
        item for item in yaml.safe_load_all(run(script, checkout, hardware)) if item["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.test/heart/panecho-triton-server:{VERSION}"
    assert {"name": "PROFILE", "value": hardware} in container["env"]
    site = checkout / "deploy/kubernetes/site/kustomization.yaml"
    site.write_text(site.read_text().replace("components:\n", "components:\n  - ../components/autoscale\n"))
    kinds = [item["kind"] for item in yaml.safe_load_all(run("kubectl kustomize deploy/kubernetes/site", checkout))]
    assert "HorizontalPodAutoscaler" in kinds


def test_jobs_and_loader_have_images_of_the_registry(checkout: Path) -> None:
    archive = block("mkdir deploy/kubernetes/site-archive").partition("kubectl apply")[0]
    archive += "\nkubectl kustomize deploy/kubernetes/site-archive"
    loader = block("deploy/kubernetes/loader").partition(" | kubectl apply")[0]
    for script, count in ((archive, 3), (loader, 1)):
        images = re.findall(r"image: (.*)", run(script, checkout))
        assert images == [f"registry.test/heart/panecho-triton-client:{VERSION}"] * count


def test_what_is_named_is_there() -> None:
    items = [item for folder in kustomizations(ROOT) for item in render(folder, ROOT)]
    names = {f"{item['kind'].lower()}/{item['metadata']['name']}" for item in items}
    named = set(re.findall(r"\b((?:deployment|job|service|pod)/panecho[\w-]*)", TEXT))
    assert named == {
        "deployment/panecho",
        "job/panecho-index",
        "job/panecho-merge",
        "job/panecho-predict",
        "pod/panecho-loader",
        "service/panecho",
    }
    assert named <= names
    steps = {item["metadata"]["labels"].get("step") for item in items} - {None}
    assert set(re.findall(r"-l step=(\w+)", TEXT)) == steps
    assert set(re.findall(r"panecho-triton-\w+:([\d.]+)", TEXT)) == {VERSION}


def test_paths_are_there() -> None:
    paths = set(re.findall(r"\b(?:deploy|scripts)/[\w./-]*\w", TEXT)) - {
        "deploy/kubernetes/site/kustomization.yaml",
        "deploy/kubernetes/site-archive/kustomization.yaml",
    }
    missing = {path for path in paths if not (ROOT / path).exists()}
    assert missing == {"deploy/kubernetes/site", "deploy/kubernetes/site-archive"}
    listed = re.findall(r"^\| ((?:`[\w/-]+`(?:, )?)+) \| ", TEXT.partition("## What is in")[2], re.MULTILINE)
    folders = {folder.strip("/") for names in listed for folder in re.findall(r"`([\w/-]+)`", names)}
    expected = {path.name if path.name != "overlays" else "" for path in (ROOT / "deploy/kubernetes").iterdir()} - {""}
    overlays = {f"overlays/{path.name}" for path in (ROOT / "deploy/kubernetes/overlays").iterdir()}
    assert {folder for folder in folders if (ROOT / "deploy/kubernetes" / folder).exists()} == expected | overlays


def test_images_are_targets_of_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM .* AS (\w+)", (ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE))
    assert set(re.findall(r"--target (\w+)", TEXT)) == {"server", "export", "client"} <= targets
