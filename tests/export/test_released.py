"""`panecho export --released`: the licence first, then the download, then an export that names the file's hash."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor

from support.commands import invoke

OPTIONS = ("--parts", "image_encoder")


@pytest.fixture
def mirror(weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mirror of the released weights on this machine, and an empty cache."""
    (tmp_path / "mirror").mkdir()
    torch.save({"weights": weights}, tmp_path / "mirror/panecho.pt")
    monkeypatch.setenv("PANECHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PANECHO_ACCEPT_LICENCE", raising=False)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "mirror"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/panecho.pt"
    server.shutdown()
    server.server_close()


def test_released_weights_are_exported(mirror: str, tmp_path: Path) -> None:
    digest = hashlib.sha256((tmp_path / "mirror/panecho.pt").read_bytes()).hexdigest()
    target = tmp_path / "repository"
    options = ("export", "--released", "--released-url", mirror, "--model-repository", target, *OPTIONS)
    asked = invoke(*options)
    assert asked.exit_code == 1
    assert "CC BY-NC-SA 4.0" in asked.stderr
    assert "--accept-licence" in asked.stderr
    done = invoke(*options, "--accept-licence", "--sha256", digest)
    assert done.exit_code == 0, done.stderr
    assert "Released weights:" in done.stderr
    assert digest in (target / "image_encoder/config.pbtxt").read_text()


def test_options_of_the_download_need_it(tmp_path: Path) -> None:
    for options in (("--accept-licence",), ("--sha256", "00"), ("--released-url", "https://localhost/panecho.pt")):
        refused = invoke("export", "--stand-in", "0", "--model-repository", tmp_path, *options)
        assert refused.exit_code == 2
        assert "need --released" in refused.stderr


def test_one_source_of_weights(tmp_path: Path) -> None:
    refused = invoke("export", "--released", "--stand-in", "0", "--model-repository", tmp_path)
    assert refused.exit_code == 2
    assert "Give one of: --checkpoint PATH, --released, --stand-in SEED" in refused.stderr
