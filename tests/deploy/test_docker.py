"""The images: what they are built from."""

import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths  # type: ignore[import-untyped] # it ships no type information
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
VALIDATE = ROOT / "scripts/validate/dockerfiles"


def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run([VALIDATE], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("hadolint: 1 file(s) clean: ")


def test_a_broken_dockerfile_is_named_with_its_line(tmp_path: Path) -> None:
    shutil.copytree(DOCKER, tmp_path / "deploy/docker")
    broken = DOCKERFILE.replace("FROM nvcr.io/nvidia/tritonserver:26.11-py3", "FROM nvcr.io/nvidia/tritonserver")
    (tmp_path / "deploy/docker/Dockerfile").write_text(broken)

    done = subprocess.run([VALIDATE, tmp_path], capture_output=True, text=True, check=False)

    line = next(number for number, text in enumerate(broken.splitlines(), 1) if "nvidia/tritonserver AS" in text)
    assert done.returncode == 1
    assert f"{tmp_path}/deploy/docker/Dockerfile:{line} DL3006" in done.stdout


def copied() -> list[str]:
    """Paths that the Dockerfile copies out of the repository."""
    lines = re.findall(r"^COPY ((?!--from).*)$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)
    return [path for line in lines for path in line.split()[:-1] if not path.startswith("--")]


@pytest.mark.parametrize("path", copied())
def test_what_is_copied_is_there_and_sent_to_the_builder(path: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    sent = exclude_paths(str(ROOT), patterns)

    assert (ROOT / path).exists()
    wanted = {path} if (ROOT / path).is_file() else {f"{path}/{name}" for name in source_files(path)}
    assert wanted
    assert wanted <= sent


def source_files(folder: str) -> list[str]:
    """Names that git tracks, or would."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT / folder, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / folder / name).is_file()]


def test_no_weights_secrets_or_caches_are_sent_to_the_builder(tmp_path: Path) -> None:
    for name in (".dockerignore", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    kept = {"client/panecho_client/cli.py", "pyproject.toml"}
    left_out = {
        "model_repository/backbone/1/model.pt",
        "export/panecho.pt",
        "deploy/compose/secrets/admin-key",
        "client/panecho_client/__pycache__/cli.pyc",
        "tests/data/study.dcm",
        ".git/config",
        "build/model_repository/backbone/1/model.pt",
    }
    for name in kept | left_out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]

    sent = {name for name in exclude_paths(str(tmp_path), patterns) if (tmp_path / name).is_file()}

    assert kept <= sent
    assert not left_out & sent


def pins(path: Path) -> dict[str, str]:
    """Version of each package, where it is for Python 3.12."""
    found = {}
    for line in path.read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9_.-]+)==([^ ;]+)(.*)", line):
            name, version, rest = match.groups()
            if '>= "3.13"' not in rest:
                found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


REQUIRED = {
    "build": ["hatchling>=1.27"],
    "server": ["numpy>=1.26", "imagecodecs>=2025.3.30", "opencv-python-headless>=4.11,<5", "pydicom>=3.0.2"],
    "export": ["numpy>=1.26", "typer>=0.15", "torch==2.11.0", "torchvision==0.26.0", "timm>=1.0.20", "pydicom>=3.0.2"],
    "client": [
        "tritonclient>=2.60",
        "grpcio",
        "geventhttpclient",
        "highdicom>=0.28.2",
        "dicomweb-client",
        "locust>=2.47",
    ],
}


@pytest.mark.parametrize(("image", "required"), REQUIRED.items())
def test_a_lock_file_holds_what_its_image_needs_with_hashes(image: str, required: list[str]) -> None:
    text = (DOCKER / f"{image}.lock").read_text()
    locked = pins(DOCKER / f"{image}.lock")

    for requirement in map(Requirement, required):
        assert requirement.specifier.contains(locked[requirement.name]), requirement
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) == len(locked)
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.mark.parametrize("image", REQUIRED)
def test_an_image_holds_the_versions_that_the_tests_run_with(image: str) -> None:
    tested = pins(ROOT / "constraints.txt")
    locked = pins(DOCKER / f"{image}.lock")

    both = locked.keys() & tested.keys()
    assert {name: locked[name] for name in both} == {name: tested[name] for name in both}
    assert both or image == "build"


def test_every_requirement_of_the_extras_is_locked() -> None:
    image_requirements = runpy.run_path(str(DOCKER / "lock.py"))["image_requirements"]
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = image_requirements(tomllib.load(file))

    assert set(wanted) == set(REQUIRED)
    for image, requirements in wanted.items():
        locked = pins(DOCKER / f"{image}.lock")
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(locked[requirement.name.lower()]), (image, str(requirement))


def test_the_server_image_holds_no_package_but_those_of_preprocessing() -> None:
    assert set(pins(DOCKER / "server.lock")) == {"imagecodecs", "numpy", "opencv-python-headless", "pydicom"}


def test_the_images_are_those_of_this_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]

    assert re.findall(r'image\.version="([^"]+)"', DOCKERFILE) == [version] * 3
    assert re.findall(r"--target (\w+) -t (\S+) \.", DOCKERFILE) == [
        (target, f"panecho-triton-{target}:{version}") for target in ("server", "export", "client")
    ]
    assert re.findall(r'image\.title="([^"]+)"', DOCKERFILE) == [
        "panecho-triton-export",
        "panecho-triton-client",
        "panecho-triton-server",
    ]


def test_the_server_image_says_what_it_is_made_from_and_how_it_runs() -> None:
    base = re.findall(r"^FROM (nvcr\S+) AS server$", DOCKERFILE, re.MULTILINE)

    assert base == re.findall(r'image\.base\.name="([^"]+)"', DOCKERFILE) == ["nvcr.io/nvidia/tritonserver:26.11-py3"]
    assert "OMP_WAIT_POLICY=passive" in DOCKERFILE
    assert "HTTP_MAX_INPUT_SIZE=1073741824" in DOCKERFILE
    assert 'ENTRYPOINT ["/opt/nvidia/nvidia_entrypoint.sh", "/opt/panecho/start.py"]' in DOCKERFILE
    assert 'CMD ["/opt/panecho/healthcheck.py"]' in DOCKERFILE


def test_no_image_runs_as_root() -> None:
    final = {
        match[1]: match[2] for match in re.finditer(r"FROM \S+ AS (\w+)\n(.*?)(?=\nFROM |\Z)", DOCKERFILE, re.DOTALL)
    }

    for image in ("server", "export", "client"):
        assert re.findall(r"^USER (.*)$", final[image], re.MULTILINE) == ["1000:1000"], image
