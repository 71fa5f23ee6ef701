"""uv.lock is complete, hashed and from PyPI alone, and ``scripts/setup`` installs nothing else."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution, requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
WORKSPACE = {"panecho-client", "panecho-triton"}


def load(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())


PACKAGES = {(package["name"], package.get("version")): package for package in load(ROOT / "uv.lock")["package"]}


def test_every_file_is_of_pypi_and_has_its_hash() -> None:
    for (name, _), package in PACKAGES.items():
        if name in WORKSPACE:
            assert package["source"].keys() == {"editable"}
            continue
        assert package["source"] == {"registry": "https://pypi.org/simple"}, name
        for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]:
            assert file["url"].startswith("https://files.pythonhosted.org/packages/"), file
            assert re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]), file


def test_all_but_numpy_for_python_313_comes_built() -> None:
    unbuilt = {name for (name, _), package in PACKAGES.items() if not package.get("wheels")} - WORKSPACE

    assert unbuilt == set()
    assert PACKAGES["numpy", "1.26.4"]["sdist"]["hash"] == (
        "sha256:2a02aba9ed12e4ac4eb3ea9421c420301a0c6460d9830d74a9df87efa4912010"
    )


def asked(file: Path) -> set[str]:
    """What a pyproject.toml asks for, without the packages of this repository."""
    content = load(file)
    texts = [*content["project"].get("dependencies", []), *content["build-system"]["requires"]]
    groups = [*content["project"]["optional-dependencies"].values(), *content.get("dependency-groups", {}).values()]
    texts += [text for group in groups for text in group if isinstance(text, str)]
    return {text for text in texts if not text.startswith("panecho-")}


@pytest.mark.parametrize("file", ["pyproject.toml", "client/pyproject.toml"])
def test_what_a_project_asks_for_is_locked(file: str) -> None:
    for requirement in map(Requirement, asked(ROOT / file)):
        locked = [found for name, found in PACKAGES if name == canonicalize_name(requirement.name)]
        assert any(requirement.specifier.contains(found) for found in locked if found), str(requirement)


def test_what_is_installed_is_what_is_locked() -> None:
    done = subprocess.run(
        [UV, "sync", "--frozen", "--check", "--inexact", "--offline", "--no-build-isolation", "--no-python-downloads"],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{UV.parent}:{os.environ['PATH']}", "UV_PROJECT_ENVIRONMENT": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_what_installed_packages_ask_for_is_installed() -> None:
    for name, _ in PACKAGES:
        for requirement in map(Requirement, wants(name)):
            wanted = canonicalize_name(requirement.name)
            if (requirement.marker is None or requirement.marker.evaluate({"extra": ""})) and not left_out(wanted):
                found = distribution(wanted).version
                assert requirement.specifier.contains(found, prereleases=True), f"{name}: {requirement}"


def wants(name: str) -> list[str]:
    try:
        return requires(name) or []
    except ModuleNotFoundError:  # locked for another version of Python
        return []


def left_out(name: str) -> bool:
    """On Python 3.13 numpy 1 is installed against others' wish, and pyjpegls is not: see pyproject.toml."""
    return sys.version_info[:2] == (3, 13) and name in {"numpy", "pyjpegls"}


def test_both_distributions_are_of_one_version_and_one_asks_for_the_other() -> None:
    current = load(ROOT / "client/pyproject.toml")["project"]["version"]

    assert version("panecho-triton") == version("panecho-client") == current
    assert f"panecho-client[cli]=={version('panecho-client')}" in (requires("panecho-triton") or ())
    base = [Requirement(text) for text in requires("panecho-client") or () if "extra ==" not in text]
    assert {requirement.name for requirement in base} == {"numpy", "tenacity", "tritonclient"}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Address of a server of the files of the test's folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Build version 1.0 of a package."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    contents = files | {
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{digest(text)},{len(text)}\n" for name, text in contents.items())
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**contents, f"{name}-1.0.dist-info/RECORD": record}.items():
            info = zipfile.ZipInfo(file)
            info.external_attr = 0o100755 << 16  # an executable file
            archive.writestr(info, text)
    return path


def digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def entry(file: Path, index: str) -> str:
    name, number, _ = file.name.split("-", 2)
    hashed = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"""
[[package]]
name = "{name}"
version = "{number}"
source = {{ registry = "{index}/simple" }}
wheels = [{{ url = "{index}/{file.name}", hash = "sha256:{hashed}" }}]
"""


@pytest.mark.parametrize("tampered", ["", "uv", "thing"])
def test_setup_installs_no_file_of_another_hash(tmp_path: Path, index: str, tampered: str) -> None:
    (tmp_path / "scripts").mkdir()
    for script in ("setup", "locked.py"):
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
    wheels = {
        "uv": wheel(tmp_path, "uv", {"uv-1.0.data/scripts/uv": f'#!/bin/sh\nexec {UV} "$@"\n'}),
        "thing": wheel(tmp_path, "thing", {"thing.py": ""}),
    }
    project = 'name = "small"\nversion = "1.0"\n'
    needs = 'dependencies = [{ name = "thing" }, { name = "uv" }]'
    (tmp_path / "pyproject.toml").write_text(
        f'[project]\n{project}requires-python = ">=3.11"\ndependencies = ["thing", "uv"]\n[tool.uv]\npackage = false\n'
    )
    (tmp_path / "uv.lock").write_text(
        'version = 1\nrequires-python = ">=3.11"\n'
        + "".join(entry(file, index) for file in wheels.values())
        + f'\n[[package]]\n{project}source = {{ virtual = "." }}\n{needs}\n'
    )
    if tampered:
        with zipfile.ZipFile(wheels[tampered], "a") as archive:
            archive.writestr("sitecustomize.py", "print('hostile')")

    done = subprocess.run(
        [tmp_path / "scripts/setup"],
        env=os.environ
        | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PYTHON": sys.executable}
        | {"UV_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode != 0) == bool(tampered), done.stderr
    assert bool([*tmp_path.glob(".venv/lib/python3*/site-packages/thing.py")]) == (not tampered)
    assert not [*tmp_path.glob(".venv/lib/python3*/site-packages/sitecustomize.py")]
    said = {"uv": "DO NOT MATCH THE HASHES", "thing": "Hash mismatch for `thing==1.0`"}
    assert said.get(tampered, "") in done.stderr
