"""``make sbom``: of the packages that are installed and of a real export."""

import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from support.exports import copy_export

ROOT = Path(__file__).parents[2]
SBOM = ROOT / "scripts/sbom.py"


def make(target: Path, repository: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(SBOM), str(target), "--model-repository", str(repository)],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def sbom(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sbom")
    export = copy_export(repository, folder / "export")
    done = make(folder / "sbom.json", export)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder}/sbom.json\n"
    assert re.search(r"sbom: \d+ packages; backbone$", done.stderr.strip()), done.stderr
    written: dict[str, Any] = json.loads((folder / "sbom.json").read_text())
    return written


def component(sbom: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (entry for entry in sbom["components"] if entry["name"] == name)
    return dict(found)


@pytest.mark.long
def test_it_is_of_this_project_and_names_its_packages(sbom: dict[str, Any]) -> None:
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    project = sbom["metadata"]["component"]
    assert (project["name"], project["version"]) == ("panecho-triton", version("panecho-triton"))
    torch = component(sbom, "torch")
    assert torch["version"] == version("torch")
    assert torch["purl"] == f"pkg:pypi/torch@{version('torch')}"
    assert torch["licenses"] == [{"license": {"acknowledgement": "declared", "id": "BSD-3-Clause"}}]
    assert {"nvidia-pytriton", "pydicom", "imagecodecs", "tritonclient"} <= {e["name"] for e in sbom["components"]}


@pytest.mark.long
def test_the_model_is_named_by_its_hash_and_its_weights(sbom: dict[str, Any], repository: Path) -> None:
    model = component(sbom, "backbone")
    file = repository / "backbone/1/model.pt"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest}]
    (weights,) = model["pedigree"]["ancestors"]
    assert weights["name"] == "stand-in 0"
    assert weights["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert "hashes" not in weights
    properties = {entry["name"]: entry["value"] for entry in model["properties"]}
    assert properties["panecho:clip_length"] == "16"
    assert properties["panecho:versions:torch"] == version("torch")
    (root,) = (entry for entry in sbom["dependencies"] if entry["ref"] == sbom["metadata"]["component"]["bom-ref"])
    assert {"model:backbone", f"panecho-client=={version('panecho-client')}"} <= set(root["dependsOn"])


@pytest.mark.long
def test_it_is_valid_and_holds_nothing_of_this_machine(sbom: dict[str, Any]) -> None:
    text = json.dumps(sbom)
    assert "file:///" not in text
    for entry in sbom["components"]:
        entry.pop("externalReferences", None)  # packages' own links, which take most of the time to validate
    text = json.dumps(sbom)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"SHA-256"', '"SHA-257"')) is not None
    assert str(ROOT) not in text


def test_an_export_without_manifest_is_refused(repository: Path, tmp_path: Path) -> None:
    export = copy_export(repository, tmp_path / "export", ("backbone",))

    done = make(tmp_path / "sbom.json", export)

    assert done.returncode == 1
    assert f"sbom: {export}: no config.pbtxt has a manifest; make it with `panecho export`" in done.stderr
    assert not (tmp_path / "sbom.json").exists()


def test_a_checkpoint_is_named_by_its_hash() -> None:
    weights = {"name": "panecho.pt", "notice": "Research use only.", "sha256": "ab" * 32, "licence": None}

    assert runpy.run_path(str(SBOM))["weights_component"](weights) == {
        "type": "machine-learning-model",
        "name": "panecho.pt",
        "description": "Research use only.",
        "hashes": [{"alg": "SHA-256", "content": "ab" * 32}],
    }
