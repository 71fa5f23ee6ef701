"""The script that fetches the model repository serves nothing but the file that was asked for."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.cloud import BEARER, IDENTITY, KEY, SECRET, SESSION, Cloud, running_cloud

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/kubernetes/components/object-store/fetch.sh"

Fetch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """An HTTP server, and the folder that it serves."""
    folder = tmp_path / "store"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["Debian's tools", "busybox"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the script finds its commands; those of busybox are in the image curlimages/curl."""
    curl, busybox = shutil.which("curl"), shutil.which("busybox")
    if curl is None or (request.param == "busybox" and busybox is None):
        pytest.skip("needs curl and busybox: apt-get install curl busybox")
    if request.param != "busybox":
        return os.environ["PATH"]
    applets = tmp_path / "applets"
    applets.mkdir()
    subprocess.run([str(busybox), "--install", "-s", applets], check=True)
    (applets / "curl").unlink(missing_ok=True)
    (applets / "curl").symlink_to(curl)
    return str(applets)


@pytest.fixture
def fetch(store: tuple[Path, str], path: str, tmp_path: Path) -> Fetch:
    (tmp_path / "models").mkdir()

    def run(digest: str, name: str = "repository.tar") -> subprocess.CompletedProcess[str]:
        (tmp_path / "curl.conf").write_text(f'url = "{store[1]}/{name}"\nnoproxy = "*"\n')
        environment = {
            "PATH": path,
            "SHA256": digest,
            "CURL_CONFIG": str(tmp_path / "curl.conf"),
            "MODELS": str(tmp_path / "models"),
        }
        shell = str(shutil.which("sh", path=path))
        return subprocess.run([shell, SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run


def write_tar(file: Path, names: list[str]) -> str:
    """Write a tar file and return its SHA-256."""
    with tarfile.open(file, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(name)
            member.uid = member.gid = 4711
            tar.addfile(member, io.BytesIO(name.encode()))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_right_file_is_unpacked(fetch: Fetch, store: tuple[Path, str], tmp_path: Path) -> None:
    digest = write_tar(store[0] / "repository.tar", ["panecho/config.pbtxt", "backbone/1/model.pt"])
    for _ in range(2):  # a restarted container finds what the first one left
        finished = fetch(digest)
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr.splitlines()[-1] == f"fetch: ready: {digest}"
        assert [path.name for path in (tmp_path / "models").iterdir()] == ["repository"]
        model = tmp_path / "models/repository/backbone/1/model.pt"
        assert model.read_text() == "backbone/1/model.pt"
        assert (tmp_path / "models/repository/panecho/config.pbtxt").is_file()


def test_another_file_is_not_served(fetch: Fetch, store: tuple[Path, str], tmp_path: Path) -> None:
    wanted = write_tar(store[0] / "repository.tar", ["panecho/config.pbtxt"])
    found = write_tar(store[0] / "repository.tar", ["panecho/config.pbtxt", "evil/1/model.py"])
    finished = fetch(wanted)
    assert finished.returncode == 1
    assert f"SHA-256 is {found}, not {wanted}" in finished.stderr
    assert list((tmp_path / "models").iterdir()) == []


def test_a_tar_of_something_else(fetch: Fetch, store: tuple[Path, str], tmp_path: Path) -> None:
    digest = write_tar(store[0] / "repository.tar", ["model_repository/panecho/config.pbtxt"])
    finished = fetch(digest)
    assert finished.returncode == 1
    assert "holds no panecho/config.pbtxt; make it inside the repository" in finished.stderr
    assert not (tmp_path / "models/repository").exists()


def test_no_such_file(fetch: Fetch) -> None:
    finished = fetch("0" * 64, "gone.tar")
    assert finished.returncode == 1
    assert "404" in finished.stderr
    assert "fetch: curl failed; see its message above, and curl.conf" in finished.stderr


@pytest.mark.parametrize("digest", ["", "set-me", "0" * 63, "0" * 65, "A" * 64])
def test_no_digest(fetch: Fetch, digest: str) -> None:
    finished = fetch(digest)
    assert finished.returncode == 1
    assert f"SHA256 is '{digest}', not the 64 hexadecimal digits" in finished.stderr


GUIDE = (ROOT / "docs/operate/kubernetes.md").read_text()
AWS, GOOGLE, AZURE = re.findall(r"^```text\n(url = [^`]*/run/identity/token\"\n)```", GUIDE, re.MULTILINE)
"""What the guide has for identity.conf."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    (tmp_path / "bucket").mkdir()
    with running_cloud(tmp_path / "bucket") as running:
        yield running


@pytest.fixture
def fetch_by_identity(cloud: Cloud, path: str, tmp_path: Path) -> Fetch:
    """Run the script with the pod's identity instead of keys, at a token service and a store."""
    digest = write_tar(cloud.folder / "repository.tar", ["panecho/config.pbtxt"])
    (tmp_path / "models").mkdir()

    def run(service: str, store: str, identity: str = IDENTITY) -> subprocess.CompletedProcess[str]:
        snippets = {"aws": AWS, "oauth": GOOGLE, "azure": AZURE}
        (tmp_path / "token").write_text(identity)
        asked = snippets[service].replace("/run/identity/token", f"{tmp_path}/token")
        asked = re.sub(r'url = ".*"', f'url = "{cloud.url}/{service}"\nnoproxy = "*"', asked, count=1)
        (tmp_path / "identity.conf").write_text(asked)
        signing = 'aws-sigv4 = "aws:amz:eu-central-1:s3"\n' if store == "s3" else ""
        (tmp_path / "curl.conf").write_text(f'url = "{cloud.url}/{store}/repository.tar"\nnoproxy = "*"\n{signing}')
        environment = {"PATH": path, "SHA256": digest, "CURL_CONFIG": f"{tmp_path}/curl.conf"}
        environment["MODELS"] = f"{tmp_path}/models"
        shell = str(shutil.which("sh", path=path))
        return subprocess.run([shell, SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.mark.parametrize(("service", "store"), [("aws", "s3"), ("oauth", "gcs"), ("azure", "gcs")])
def test_the_pods_identity_opens_the_store(
    fetch_by_identity: Fetch, cloud: Cloud, tmp_path: Path, service: str, store: str
) -> None:
    finished = fetch_by_identity(service, store)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "models/repository/panecho/config.pbtxt").is_file()
    assert cloud.refused == []
    assert not any(secret in finished.stdout + finished.stderr for secret in (KEY, SECRET, SESSION, BEARER, IDENTITY))


def test_an_identity_that_the_service_refuses(fetch_by_identity: Fetch, tmp_path: Path) -> None:
    finished = fetch_by_identity("aws", "s3", "another")
    assert finished.returncode == 1
    said = "the token service of identity.conf gave no credentials: <ErrorResponse><Error><Code>AccessDenied"
    assert said in finished.stderr
    assert list((tmp_path / "models").iterdir()) == []


def test_credentials_of_another_kind_do_not_open_the_store(fetch_by_identity: Fetch, cloud: Cloud) -> None:
    finished = fetch_by_identity("oauth", "s3")
    assert finished.returncode == 1
    assert "fetch: curl failed" in finished.stderr
    assert cloud.refused == ["/s3/repository.tar"]
