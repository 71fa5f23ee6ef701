"""The lock file is complete and hashed, and ``scripts/setup`` installs nothing else."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
ENTRY = re.compile(r"([a-z0-9-]+)==(\S+)( ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


class Entry(NamedTuple):
    name: str
    version: str
    marker: str


def environment(python: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def entries() -> list[Entry]:
    """Those of requirements.lock; anything in it that is not a hashed entry fails the test."""
    text = re.sub(r"^#.*\n", "", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    texts = re.split(r"\n(?=\S)", text.strip())
    matches = [ENTRY.fullmatch(entry) for entry in texts]
    assert [entry for entry, match in zip(texts, matches, strict=True) if match is None] == []
    return [Entry(match[1], match[2], match[3] or "") for match in matches if match]


def locked(python: str) -> dict[str, str]:
    """Version of each package for a version of Python on Linux x86-64."""
    found = {}
    for entry in entries():
        marker = Requirement(f"{entry.name}=={entry.version}{entry.marker}").marker
        if marker is None or marker.evaluate(environment(python)):
            assert entry.name not in found
            found[entry.name] = entry.version
    return found


def pyproject() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def wanted(python: str) -> list[Requirement]:
    """What pyproject.toml asks for, in all extras together, to build and to run."""
    content = pyproject()
    extras = content["project"]["optional-dependencies"].values()
    texts = [*content["project"]["dependencies"], *content["build-system"]["requires"]]
    texts += [text for extra in extras for text in extra]
    texts += content["dependency-groups"]["build"]
    requirements = [Requirement(text) for text in texts if not text.startswith("panecho-triton")]
    return [each for each in requirements if each.marker is None or each.marker.evaluate(environment(python))]


@pytest.mark.parametrize("python", PYTHONS)
def test_what_pyproject_asks_for_is_locked(python: str) -> None:
    found = locked(python)

    for requirement in wanted(python):
        assert requirement.specifier.contains(found[canonicalize_name(requirement.name)]), str(requirement)
    assert len(found) > 150


def test_what_locked_packages_ask_for_is_locked_and_installed() -> None:
    found = locked(RUNNING)
    for name in found:
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            asked = canonicalize_name(requirement.name)
            if (requirement.marker is None or requirement.marker.evaluate({"extra": ""})) and not left_out(asked):
                assert asked in found, f"{name} asks for {text}"
                assert requirement.specifier.contains(distribution(asked).version, prereleases=True), f"{name}: {text}"


def left_out(name: str) -> bool:
    """On Python 3.13 numpy 1 is installed against others' wish, and pyjpegls not at all: see scripts/setup."""
    return RUNNING == "3.13" and name in {"numpy", "pyjpegls"}


def test_what_is_installed_is_what_is_locked() -> None:
    found = locked(RUNNING)
    if RUNNING == "3.13":
        found |= {"numpy": "1.26.4", "nvidia-pytriton": "0.7.0"}

    assert {name: distribution(name).version for name in found} == found


def test_constraints_are_the_locked_versions() -> None:
    first, *lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert first == "# The versions of requirements.lock alone, for pip's --constraint. Written by `make lock`."
    assert lines == [f"{entry.name}=={entry.version}{entry.marker}".replace("'", '"') for entry in entries()]


def test_python_313_gets_numpy_1_and_pytriton_by_their_hashes() -> None:
    (program,) = re.findall(r"^ +awk '(.+)' requirements.lock", (ROOT / "scripts/setup").read_text(), re.MULTILINE)

    done = subprocess.run(
        ["/usr/bin/awk", program, "requirements.lock"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    chosen = [match.groups()[:3] for match in ENTRY.finditer(done.stdout)]
    assert chosen == [("numpy", "1.26.4", None), ("nvidia-pytriton", "0.7.0", None)]
    assert "\n    --hash=sha256:2a02aba9ed12e4ac4eb3ea9421c420301a0c6460d9830d74a9df87efa4912010" in done.stdout
    assert ";" not in done.stdout


def wheel(folder: Path) -> Path:
    """Build a package of one module, ``locked_thing`` 1.0."""
    path = folder / "locked_thing-1.0-py3-none-any.whl"
    contents = {
        "locked_thing.py": "",
        "locked_thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: locked-thing\nVersion: 1.0\n",
        "locked_thing-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{digest(text)},{len(text)}\n" for name, text in contents.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**contents, "locked_thing-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return path


def digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.mark.parametrize("intact", [True, False])
def test_setup_installs_no_file_of_another_hash(tmp_path: Path, *, intact: bool) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup", tmp_path / "scripts")
    file = wheel(tmp_path)
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "requirements.lock").write_text(f"locked-thing==1.0 \\\n    --hash=sha256:{expected}\n")
    if not intact:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("sitecustomize.py", "print('hostile')")
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PYTHON": sys.executable}

    done = subprocess.run(
        [str(tmp_path / "scripts/setup")],
        env={**os.environ, **index},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode != 0  # at the latest because there is no pyproject.toml here
    installed = list(tmp_path.glob(".venv/lib/python3*/site-packages/locked_thing.py"))
    assert bool(installed) == intact
    assert ("DO NOT MATCH THE HASHES" in done.stderr) == (not intact), done.stderr
    assert ("neither 'setup.py' nor 'pyproject.toml' found" in done.stderr) == intact, done.stderr
