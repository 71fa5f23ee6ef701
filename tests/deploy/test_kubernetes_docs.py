"""The walk-through of docs/operate/kubernetes.md names what there is, and what of it runs without a cluster runs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import trustme
import yaml
from kubernetes_references import BY_HAND

from support.manifests import rendered_objects

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


def test_patches_fit(checkout: Path) -> None:
    patches = re.findall(r"^```yaml\n(patches:\n.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    site = checkout / "deploy/kubernetes/site"
    site.mkdir()
    components = ["gpu", "object-store", "object-store-identity"]
    head = {"resources": ["../base"], "components": [f"../components/{name}" for name in components]}
    whole = head | {"patches": [patch for text in patches for patch in yaml.safe_load(text)["patches"]]}
    (site / "kustomization.yaml").write_text(yaml.safe_dump(whole))
    items = list(yaml.safe_load_all(run("kubectl kustomize deploy/kubernetes/site", checkout)))
    found = {(item["kind"], item["metadata"]["name"]): item["spec"] for item in items if "spec" in item}
    (rule,) = found["NetworkPolicy", "panecho-to-object-store"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "10.20.30.0/28"}}]
    volumes = {volume["name"]: volume for volume in found["Deployment", "panecho"]["template"]["spec"]["volumes"]}
    (source,) = volumes["identity"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "api://AzureADTokenExchange"


def test_what_is_named_is_there() -> None:
    items = [item for items in rendered_objects().values() for item in items]
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


KUBECTL = """#!/bin/sh
# Runs kubectl without a cluster, and notes what it was given and what it says.
case $1 in kustomize) exec {kubectl} "$@" ;; esac
said=$({kubectl} --server=http://127.0.0.1:1 --request-timeout=1s "$@" 2>&1 >/dev/null)
printf '%s\\t%s\\n' "$*" "$(printf '%s' "$said" | tr '\\n' ' ')" >> {log}
"""
REFUSED = re.compile(
    r"connection to the server 127\.0\.0\.1:1 was refused|dial tcp 127\.0\.0\.1:1: connect: connection refused"
)


@pytest.mark.long
def test_kubectl_understands_every_command(checkout: Path) -> None:
    """Without a cluster each ends at the connection: what is wrong with options and files, kubectl says before."""
    tools, log = checkout / "tools", checkout / "log"
    tools.mkdir()
    stubs = {"kubectl": KUBECTL.format(kubectl=Path(sys.executable).with_name("kubectl"), log=log)}
    stubs |= dict.fromkeys(("docker", "helm", "panecho", "make", "tar"), "#!/bin/sh\nexit 0\n")
    for name, text in stubs.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    for name in ("tokens.map", "ca.crt", "curl.conf", "repository.tar"):
        (checkout / name).write_text("x")
    certificate = trustme.CA().issue_cert("panecho.example.org")
    certificate.cert_chain_pems[0].write_to_path(checkout / "tls.crt")
    certificate.private_key_pem.write_to_path(checkout / "tls.key")
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "REGISTRY": "registry.test",
        "HARDWARE": "gpu",
        "TOKEN": "x",
    }
    script = "\n".join(BLOCKS).replace("rm curl.conf", ":").replace("kill %1", ":")
    subprocess.run(["/bin/sh", "-c", script], cwd=checkout, env=environment, capture_output=True, check=False)
    done = [line.split("\t") for line in log.read_text().splitlines()]
    assert len(done) > 30
    wrong = [(command, said) for command, said in done if not REFUSED.search(said)]
    assert wrong == []


def test_secrets_are_made_with_the_keys_that_pods_read() -> None:
    heads = [path.read_text() for path in (ROOT / "deploy/kubernetes/components").glob("*/kustomization.yaml")]
    made: dict[str, set[str]] = {}
    for name, rest in re.findall(r"create secret (?:generic|tls) (panecho-[\w-]+)(.*)", "\n".join([TEXT, *heads])):
        made.setdefault(name, set()).update(re.findall(r"--from-(?:file|literal)=([\w.]+)", rest))
        if "--cert=" in rest:
            made[name] |= {"tls.crt", "tls.key"}
    read = {name: keys for (kind, name), keys in BY_HAND.items() if kind == "Secret"}
    assert made.keys() == read.keys()
    assert all(keys <= made[name] for name, keys in read.items())
