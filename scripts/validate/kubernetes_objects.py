"""Renders every kustomization below ``deploy/kubernetes`` and checks each object strictly: unknown fields are refused.

Kubernetes' own kinds are checked by kubernetes-validate, others against ``deploy/kubernetes/schemas``. A kind without a
schema is an error.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import kubernetes_validate  # type: ignore[import-untyped] # ships no type information
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource

KUBERNETES_VERSION = "1.37"
FOLDER = Path("deploy/kubernetes")
SERVERS = FOLDER / "overlays/gpu"
"""What a component is rendered with: alone it is not a kustomization."""

KubernetesObject: TypeAlias = dict[str, Any]


def kustomizations(root: Path) -> list[Path]:
    """Return the folders that hold a kustomization, sorted."""
    return sorted(path.parent for path in (root / FOLDER).rglob("kustomization.yaml"))


def render(folder: Path, root: Path) -> list[KubernetesObject]:
    """Return the objects of a kustomization; of a component, those of the GPU servers with it.

    Raises:
        RuntimeError: kubectl is missing or cannot render it; the text says why.
    """
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if kustomization["kind"] != "Component":
        return _kustomize(folder)
    with tempfile.TemporaryDirectory() as temporary:
        servers, component = (os.path.relpath(path, Path(temporary).resolve()) for path in (root / SERVERS, folder))
        whole = {"resources": [servers], "components": [component]}
        Path(temporary, "kustomization.yaml").write_text(json.dumps(whole))
        return _kustomize(Path(temporary))


def problem(item: KubernetesObject, root: Path) -> str | None:
    """Return what is wrong with an object, with the path of the field; None where nothing is."""
    try:
        kubernetes_validate.validate(item, KUBERNETES_VERSION, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return _vendored_problem(item, root)
    except kubernetes_validate.ValidationError as error:
        return _said(error)
    return None


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


def _check_all(root: Path) -> Iterator[str]:
    checked: dict[str, str | None] = {}
    folders = kustomizations(root)
    if not folders:
        yield f"{root / FOLDER} holds no kustomization"
    for folder in folders:
        shown = folder.relative_to(root)
        try:
            items = render(folder, root)
        except RuntimeError as error:
            yield f"{shown}: {error}"
            continue
        for item in items:
            key = json.dumps(item, sort_keys=True)
            if key not in checked:
                checked[key] = problem(item, root)
            if (found := checked[key]) is not None:
                yield f"{shown}: {name_of(item)}: {found}"
        sys.stdout.write(f"{shown}: {len(items)} objects\n")


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
