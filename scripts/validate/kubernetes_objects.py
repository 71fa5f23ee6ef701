"""Renders every kustomization below ``deploy/kubernetes`` and checks each object strictly: unknown fields are refused.

Kubernetes' own kinds are checked by kubernetes-validate, others against ``deploy/kubernetes/schemas``. A kind without a
schema is an error. Then the objects of each are checked together, as they are deployed: the names by which they refer
to each other, who reaches whom, what pods may do, and values that must fit each other.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # ships no type information
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from kubernetes_network import network_problems
from kubernetes_pods import pod_problems
from kubernetes_references import reference_problems
from kubernetes_stack import KubernetesObject, Stack
from kubernetes_values import value_problems
from referencing import Registry, Resource

KUBERNETES_VERSION = "1.37"
FOLDER = Path("deploy/kubernetes")
SERVERS = FOLDER / "overlays/gpu"
"""What a component is rendered with: alone it is not a kustomization."""
HARDWARE = (FOLDER / "components/cpu", FOLDER / "components/gpu")
"""Components that are rendered with the base."""
FIRST = {
    "archive-behind-proxy": "auth-proxy",
    "gateway-envoy": "gateway",
    "gateway-istio": "gateway",
    "gateway-nginx": "gateway",
    "object-store-identity": "object-store",
    "object-store-in-cluster": "object-store",
}
"""Components that need another one, which comes before."""
PARTS = ("jobs", "pod")
"""Folders of components that are only parts of others."""
BASE = FOLDER / "base"
STORAGE = FOLDER / "storage"


def kustomizations(root: Path) -> list[Path]:
    """Return the folders that hold a kustomization, sorted."""
    return sorted(path.parent for path in (root / FOLDER).rglob("kustomization.yaml") if path.parent.name not in PARTS)


def render(folder: Path, root: Path) -> list[KubernetesObject]:
    """Return the objects of a kustomization; of a component, those of the GPU servers with it.

    Raises:
        RuntimeError: kubectl is missing or cannot render it; the text says why.
    """
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if kustomization["kind"] != "Component":
        return _kustomize(folder)
    with tempfile.TemporaryDirectory() as temporary:
        folders = [root / (BASE if folder.relative_to(root) in HARDWARE else SERVERS), folder]
        if folder.name in FIRST:
            folders.insert(1, folder.with_name(FIRST[folder.name]))
        servers, *components = (os.path.relpath(path, Path(temporary).resolve()) for path in folders)
        whole = {"resources": [servers], "components": components}
        Path(temporary, "kustomization.yaml").write_text(json.dumps(whole))
        return _kustomize(Path(temporary))


def problem(item: KubernetesObject, root: Path) -> str | None:
    """Return what is wrong with an object, with the path of the field; None where nothing is."""
    try:
        return _problem(json.dumps(item, sort_keys=True))
    except kubernetes_validate.SchemaNotFoundError:
        return _vendored_problem(item, root)


@cache
def _problem(item: str) -> str | None:
    try:
        kubernetes_validate.validate(json.loads(item), KUBERNETES_VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return _said(error)
    return None


def compose(components: Sequence[str], root: Path) -> list[KubernetesObject]:
    """Return the objects of the base with these components of ``deploy/kubernetes/components``, in this order.

    Raises:
        RuntimeError: kubectl refuses them; the text says why.
    """
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary).resolve()
        paths = [os.path.relpath(root / FOLDER / "components" / name, here) for name in components]
        whole = {"namespace": "panecho", "resources": [os.path.relpath(root / BASE, here)], "components": paths}
        Path(temporary, "kustomization.yaml").write_text(json.dumps(whole))
        return _kustomize(Path(temporary))


def stack_problems(items: list[KubernetesObject], root: Path) -> list[str]:
    """Return what is wrong with objects that are deployed together, and with the namespace, storage and servers."""
    served = any(item["kind"] in ("Deployment", "InferenceService") for item in items)
    try:
        stack = Stack(items, _storage(root) + ([] if served else _servers(root)))
    except RuntimeError as error:
        return [str(error)]
    return [
        *reference_problems(stack, root),
        *pod_problems(stack),
        *value_problems(stack, root),
        *network_problems(stack),
    ]


def _storage(root: Path) -> list[KubernetesObject]:
    files = [path for path in sorted((root / STORAGE).glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [item for path in files for item in yaml.safe_load_all(path.read_text()) if item]


@cache
def _servers(root: Path) -> list[KubernetesObject]:
    return _kustomize(root / SERVERS)


def name_of(item: KubernetesObject) -> str:
    """Return what an object is called in messages."""
    return f"{item.get('kind', 'object without kind')}/{item.get('metadata', {}).get('name', 'without name')}"


def main() -> None:
    """Check the repository that the argument names."""
    root = Path(sys.argv[1]).resolve()
    problems = list(_check_all(root))
    for text in problems:
        sys.stderr.write(f"{text}\n")
    if problems:
        sys.exit(1)


def folder_problems(folder: Path, root: Path) -> tuple[int, list[str]]:
    """Return how many objects a kustomization renders, and what is wrong with them."""
    try:
        items = render(folder, root)
    except RuntimeError as error:
        return 0, [str(error)]
    found = [f"{name_of(item)}: {text}" for item in items if (text := problem(item, root)) is not None]
    return len(items), found or stack_problems(items, root)


def _check_all(root: Path) -> Iterator[str]:
    folders = kustomizations(root)
    if not folders:
        yield f"{root / FOLDER} holds no kustomization"
    for folder in folders:
        count, found = folder_problems(folder, root)
        yield from (f"{folder.relative_to(root)}: {text}" for text in found)
        if count:
            sys.stdout.write(f"{folder.relative_to(root)}: {count} objects\n")


def _kustomize(folder: Path) -> list[KubernetesObject]:
    ours = Path(sys.executable).with_name("kubectl")
    kubectl = str(ours) if ours.exists() else "kubectl"
    try:
        finished = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    except FileNotFoundError:
        raise RuntimeError("kubectl is missing; `make setup` installs it into .venv") from None
    if finished.returncode:
        raise RuntimeError(f"kubectl cannot render it: {finished.stderr.strip()}")
    items = [item for item in yaml.load_all(finished.stdout, Loader=yaml.CSafeLoader) if item]
    if not items:
        raise RuntimeError("it renders to nothing")
    return items


def _vendored_problem(item: KubernetesObject, root: Path) -> str | None:
    name = f"{item['kind'].lower()}-{item['apiVersion'].replace('/', '-')}.json"
    path = root / FOLDER / "schemas" / name
    if not path.is_file():
        return f"there is no schema of {item['apiVersion']} {item['kind']}, so nobody checks it; add schemas/{name}"
    error = best_match(_validator(path).iter_errors(item))
    return None if error is None else _said(error)


@cache
def _validator(path: Path) -> Draft202012Validator:
    schemas = Path(kubernetes_validate.__file__).with_name("kubernetes-json-schema")
    definitions = json.loads((schemas / f"v{KUBERNETES_VERSION}.0-local-strict/_definitions.json").read_text())
    registry = Resource.from_contents(definitions) @ Registry[Any]()
    return Draft202012Validator(_closed(json.loads(path.read_text())), registry=registry)


def _closed(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a schema whose objects take no fields but their own, as those of kubernetes-validate."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    preserving = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not preserving:
        closed.setdefault("additionalProperties", False)
    return closed


def _said(error: ValidationError) -> str:
    path = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, error.absolute_path)))
    return f"{path or 'the object'}: {error.message}"


if __name__ == "__main__":
    main()
