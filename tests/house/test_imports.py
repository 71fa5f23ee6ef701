"""``make lint`` refuses an import against the arrows: each kind is broken on purpose, in a copy."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["id"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
BROKEN = [
    ("packages", "model/panecho_model/tasks.py", "import panecho_export.cli"),
    ("packages", "preprocessing/panecho_preprocessing/limits.py", "import panecho_postprocessing.aggregation"),
    ("packages", "server/panecho_server/ports.py", "import panecho_admin.commands"),
    ("admin", "admin/panecho_admin/model_status.py", "import panecho_model.tasks"),
    ("admin-triton", "admin/panecho_admin/model_control.py", "from tritonclient.grpc import InferInput"),
    ("server", "server/panecho_server/ports.py", "import panecho_client"),
    ("export", "export/panecho_export/manifest.py", "import panecho_client"),
    ("evaluation", "training/panecho_evaluation/errors.py", "import panecho_client"),
    ("no-torch", "preprocessing/panecho_preprocessing/limits.py", "import torch"),
    ("no-torch", "client/panecho_client/outputs/png.py", "from torch import nn"),
    ("no-triton", "postprocessing/panecho_postprocessing/aggregation.py", "import tritonclient.grpc"),
    ("postprocessing", "postprocessing/panecho_postprocessing/aggregation.py", "import cv2"),
    ("client", "client/panecho_client/_results.py", "from panecho_client.outputs import tables"),
    ("client", "client/panecho_client/_files/found_files.py", "import panecho_client._archive.run"),
    ("client", "client/panecho_client/outputs/png.py", "import panecho_client.sources.grouping"),
    ("client", "client/panecho_client/_new.py", ""),
    ("client-transport", "client/panecho_client/_sender.py", "from tritonclient.grpc import aio"),
    ("client-private", "admin/panecho_admin/model_status.py", "import panecho_client._sender"),
    ("load-tests", "load_tests/requests/errors.py", "import load_tests.stages.plans"),
    ("load-tests", "load_tests/report/results.py", "import load_tests.locust_session.session"),
    ("circles", "preprocessing/panecho_preprocessing/constants.py", "import panecho_preprocessing.study"),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the contracts are about."""
    folder = tmp_path_factory.mktemp("sources")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PYPROJECT["tool"]["importlinter"]["root_packages"]:
        (place,) = [*ROOT.glob(f"*/{package}/__init__.py"), *ROOT.glob(f"{package}/__init__.py")]
        for file in place.parent.rglob("*.py"):
            (folder / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / file.relative_to(ROOT))
    return folder


def lint(sources: Path, *options: str) -> subprocess.CompletedProcess[str]:
    places = [str(sources), *(str(place) for place in sources.iterdir() if place.is_dir())]
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo", *options],
        cwd=sources,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_here_keeps_every_contract(sources: Path) -> None:
    done = lint(sources)

    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(("contract", "file", "line"), BROKEN)
def test_an_import_against_the_arrows_is_found(sources: Path, contract: str, file: str, line: str) -> None:
    path = sources / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        done = lint(sources, "--contract", contract)
    finally:
        path.write_text(before) if before is not None else path.unlink()

    assert done.returncode == 1, done.stdout
    assert "0 kept, 1 broken" in done.stdout
    module = file.partition("/")[2].removesuffix(".py").replace("/", ".")
    assert module.split(".")[-1] in done.stdout


def test_every_contract_is_broken_once() -> None:
    assert {contract for contract, _, _ in BROKEN} == CONTRACTS
