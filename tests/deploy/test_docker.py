"""The images: what they are built from."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from docker.utils.build import exclude_paths  # type: ignore[import-untyped] # it ships no type information
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
DOCKERFILE = re.sub(r"@sha256:[0-9a-f]{64}", "", (DOCKER / "Dockerfile").read_text())
"""Without the digests that Renovate pins."""
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


PYTHON = {
    "python_version": "3.12",
    "python_full_version": "3.12.13",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
"""What the images run, for markers."""


@pytest.fixture(scope="module")
def requirements(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Version of each package by image, as the build takes them out of uv.lock."""
    folder = tmp_path_factory.mktemp("requirements")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run([DOCKER / "requirements", folder], env=environment, check=True)
    return {file.stem: pins(file.read_text()) for file in folder.iterdir()}


def pins(text: str) -> dict[str, str]:
    """Read the versions for Python 3.12; anything that is not a hashed entry fails the test."""
    found = {}
    for entry in re.split(r"\n(?=\S)", text.strip()):
        match = re.fullmatch(r"([a-z0-9-]+==[^\\\n]+?)(?: \\\n    --hash=sha256:[0-9a-f]{64})+", entry)
        assert match, entry
        requirement = Requirement(match[1])
        if requirement.marker is None or requirement.marker.evaluate(PYTHON):
            found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize(
    ("image", "present", "absent"),
    [
        ("build", {"hatchling"}, {"torch", "numpy"}),
        (
            "export",
            {"cyclopts", "imagecodecs", "pydicom", "timm", "torch", "torchvision"},
            {"locust", "nvidia-pytriton"},
        ),
        ("client", {"cyclopts", "dicomweb-client", "highdicom", "locust", "tritonclient"}, {"torch", "imagecodecs"}),
    ],
)
def test_an_image_holds_what_it_needs(
    requirements: dict[str, dict[str, str]], image: str, present: set[str], absent: set[str]
) -> None:
    assert present <= requirements[image].keys()
    assert not absent & requirements[image].keys()


def test_the_server_image_holds_no_package_but_those_of_preprocessing(requirements: dict[str, dict[str, str]]) -> None:
    assert set(requirements["server"]) == {"imagecodecs", "numpy", "opencv-python-headless", "pydicom"}
    assert requirements["server"]["numpy"] == "1.26.4"  # Triton's Python backend may get empty arrays with numpy 2


def test_every_package_is_checked_by_its_hash() -> None:
    installs = re.findall(r"pip install .*", DOCKERFILE.replace("\\\n", ""))
    downloads = [install for install in installs if "--requirement" in install]

    assert len(downloads) == 5
    assert all("--no-deps --only-binary :all: --require-hashes" in install for install in downloads)
    assert all("--no-deps" in install and "/wheels/" in install for install in set(installs) - set(downloads))


def test_the_images_are_those_of_this_version() -> None:
    with (ROOT / "client/pyproject.toml").open("rb") as file:
        current = tomllib.load(file)["project"]["version"]

    assert re.findall(r'image\.version="([^"]+)"', DOCKERFILE) == [current] * 3
    assert re.findall(r"--target (\w+) -t (\S+) \.", DOCKERFILE) == [
        (target, f"panecho-triton-{target}:{current}") for target in ("server", "export", "client")
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


def valid(schema: str, file: Path) -> bool:
    """Tell whether a file fits a schema that check-jsonschema carries."""
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [str(check), "--builtin-schema", f"vendor.{schema}", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_images_of_others_are_pinned_by_digest_by_renovate() -> None:
    file = ROOT / ".github/renovate.json"
    assert valid("renovate", file)
    settings = json.loads(file.read_text())
    assert "docker:pinDigests" in settings["extends"]
    assert {"dockerfile", "docker-compose", "kubernetes"} <= set(settings["enabledManagers"])
    (pattern,) = (text.strip("/") for text in settings["kubernetes"]["managerFilePatterns"])
    for name in ("object-store/deployment.yaml", "auth-proxy/kustomization.yaml"):
        path = f"deploy/kubernetes/components/{name}"
        assert re.search(pattern, path)
        assert re.search(r"image: \S+/\S+:\d", (ROOT / path).read_text())


def test_what_is_published_is_scanned_and_signed_first() -> None:
    workflow = ROOT / ".github/workflows/publish.yml"
    assert valid("github-workflows", workflow)

    (job,) = yaml.safe_load(workflow.read_text())["jobs"].values()
    assert sorted(job["strategy"]["matrix"]["target"]) == ["client", "export", "server"]
    steps = [step.get("uses", step.get("run", "")) for step in job["steps"]]
    order = [
        next(index for index, step in enumerate(steps) if wanted in step)
        for wanted in ("docker/build-push-action", "trivy-action", "cosign sign", "imagetools create")
    ]
    assert order == sorted(order)
    build = job["steps"][order[0]]["with"]
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")


def test_builders_before_docker_25_know_the_health_check() -> None:
    assert "--start-interval" not in DOCKERFILE  # of buildah 1.28 an error
