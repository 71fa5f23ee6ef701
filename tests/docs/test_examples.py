"""Every Python example of README and docs runs as a script; `make types` checks their types."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

import panecho_client
from panecho_client import AsyncPanEcho
from panecho_server import TritonServer
from support.cines import first_frames
from support.doc_examples import doc_examples

NEEDS_PACS = "dicom-web"


EXAMPLES = doc_examples()


@pytest.fixture
def folder(cine: Path, tmp_path: Path) -> Path:
    """Where a reader would try the examples: a study, and certificates."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study/a4c.dcm").write_bytes(first_frames(cine.read_bytes(), 6))
    (tmp_path / "studies").symlink_to(tmp_path / "study")
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / name).symlink_to(tmp_path / "study/a4c.dcm")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("client@example.org")
    certificate.private_key_pem.write_to_path(tmp_path / "client.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, text in EXAMPLES.items() if NEEDS_PACS not in text])
def test_example_runs(name: str, server: TritonServer, folder: Path) -> None:
    text = EXAMPLES[name].replace("localhost:8001", server.grpc_url).replace("localhost:8000", server.http_url)
    (folder / "example.py").write_text(text)
    finished = subprocess.run(
        [sys.executable, "example.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert finished.returncode == 0, finished.stderr


def test_every_public_name_has_an_example() -> None:
    text = "\n".join(EXAMPLES.values())
    methods = [name for name, _ in inspect.getmembers(AsyncPanEcho, inspect.isfunction) if not name.startswith("_")]
    missing = [name for name in [*panecho_client.__all__, *methods] if not re.search(rf"\b{name}\b", text)]
    assert missing == ["close"]  # `with` closes
