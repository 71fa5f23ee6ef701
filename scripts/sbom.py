"""Writes a CycloneDX SBOM of the installed packages and an export's models: ``python scripts/sbom.py`` (``make sbom``).

cyclonedx-py lists the packages with version, licence and dependencies. Each exported ``model.pt`` is listed with its
SHA-256, how it was exported, and the checkpoint that it was made of, with that file's SHA-256. The result is validated
against CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/) before it is written.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.text_format import Parse, ParseError  # type: ignore[import-untyped] # protobuf ships no types
from rich.console import Console
from tritonclient.grpc.model_config_pb2 import ModelConfig

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "build/sbom.json"
EXPORT = ROOT / "build/model_repository"
ROOT_REFERENCE = "root-component"
"""What cyclonedx-py calls this project within the document."""

Component = dict[str, Any]


class SbomError(Exception):
    """The bill of materials cannot be made; the message says why."""


def main() -> int:
    """Write the bill of materials; return the exit status."""
    parser = argparse.ArgumentParser(description="Write a CycloneDX SBOM of the installed packages and the models.")
    parser.add_argument("target", nargs="?", type=Path, default=TARGET, help=f"JSON file (default: {TARGET})")
    parser.add_argument(
        "--model-repository", type=Path, default=EXPORT, help=f"an export (default: {EXPORT}, if there)"
    )
    options = parser.parse_args()
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        with console.status("Listing packages and models, validating"):
            models = exported_models(options.model_repository)
            sbom = packages()
            add(sbom, models)
            check(sbom)
    except SbomError as error:
        console.print(f"sbom: {error}", style="red", markup=False)
        return 1
    options.target.parent.mkdir(parents=True, exist_ok=True)
    options.target.write_text(json.dumps(sbom, indent=1) + "\n")
    names = ", ".join(model["name"] for model in models) or f"no model: {options.model_repository} holds no export"
    console.print(f"sbom: {len(sbom['components']) - len(models)} packages; {names}", markup=False)
    sys.stdout.write(f"{options.target}\n")
    return 0


def packages() -> dict[str, Any]:
    """Return the SBOM of the environment that runs this, without what changes from one run to the next.

    Raises:
        SbomError: cyclonedx-py failed; the message is its last line.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
    options = ["--output-reproducible", "--spec-version", "1.6", "--no-validate", sys.executable]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        raise SbomError(f"cyclonedx-py: {(done.stderr.strip() or 'it wrote nothing').splitlines()[-1]}")
    sbom: dict[str, Any] = json.loads(done.stdout)
    # What pyproject.toml does not say, as the build finds it out.
    sbom["metadata"]["component"]["version"] = version("panecho-triton")
    dependencies(sbom).append(f"panecho-client=={version('panecho-client')}")
    for component in sbom["components"]:
        references = component.pop("externalReferences", [])
        component["externalReferences"] = [link for link in references if not link["url"].startswith("file:")]
    return sbom


def dependencies(sbom: dict[str, Any]) -> list[str]:
    """Return the references of what the project depends on, to be added to."""
    (root,) = (entry for entry in sbom["dependencies"] if entry["ref"] == ROOT_REFERENCE)
    references: list[str] = root.setdefault("dependsOn", [])
    return references


def exported_models(repository: Path) -> list[Component]:
    """Return a component for each exported model of ``repository``, of which there may be none.

    Raises:
        SbomError: A model has no readable manifest next to it.
    """
    files = sorted(repository.glob("*/1/model.pt"))
    if not files:
        return []
    manifest = read_manifest(repository)
    return [model_component(file, manifest) for file in files]


def read_manifest(repository: Path) -> Mapping[str, Any]:
    """Return how ``repository`` was exported: the parameter ``manifest`` of the first model that has one.

    Raises:
        SbomError: None has one, or a configuration cannot be read.
    """
    for path in sorted(repository.glob("*/config.pbtxt")):
        try:
            config = Parse(path.read_text(), ModelConfig())
            if "manifest" in config.parameters:
                manifest: Mapping[str, Any] = json.loads(config.parameters["manifest"].string_value)
                return manifest
        except (ParseError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise SbomError(f"{path}: {error}") from error
    raise SbomError(f"{repository}: no config.pbtxt has a manifest; make it with `panecho export`")


def model_component(file: Path, manifest: Mapping[str, Any]) -> Component:
    """Return the component of an exported ``model.pt``."""
    name = file.parents[1].name
    digest = sha256(file)
    facts = {key: str(manifest[key]) for key in ("exported", "precision", "clip_length")}
    facts |= {f"versions:{package}": version for package, version in manifest["versions"].items()}
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{name}",
        "name": name,
        "version": digest[:12],
        "description": manifest["weights"]["notice"],
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "pedigree": {"ancestors": [weights_component(manifest["weights"])]},
        "properties": [{"name": f"panecho:{key}", "value": value} for key, value in facts.items()],
    }


def weights_component(weights: Mapping[str, Any]) -> Component:
    """Return the component of the checkpoint that a model was made of."""
    component = {"type": "machine-learning-model", "name": weights["name"], "description": weights["notice"]}
    if weights["sha256"]:
        component["hashes"] = [{"alg": "SHA-256", "content": weights["sha256"]}]
    if weights["licence"]:
        component["licenses"] = [{"license": {"id": weights["licence"]}}]
    return component


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def add(sbom: dict[str, Any], models: list[Component]) -> None:
    """Add ``models`` to the components of ``sbom`` and to what the project depends on."""
    sbom["components"] += models
    references = [model["bom-ref"] for model in models]
    dependencies(sbom).extend(references)
    sbom["dependencies"] += [{"ref": reference} for reference in references]


def check(sbom: Mapping[str, Any]) -> None:
    """Raise SbomError unless ``sbom`` follows the schema of CycloneDX 1.6."""
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(sbom))
    if fault is not None:
        raise SbomError(f"not valid as CycloneDX 1.6: {fault}")


if __name__ == "__main__":
    raise SystemExit(main())
