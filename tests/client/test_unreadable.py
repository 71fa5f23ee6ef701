"""Files that the client cannot read: they get a status, and harm no other file."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from panecho_client import ClipOptions, FilesError, NoUsableVideoError, PanEcho
from panecho_client._files.found_files import FoundFiles
from panecho_client._requests import Batching
from panecho_server import TritonServer
from support.commands import invoke

OPTIONS = ClipOptions(num_clips=1, clip_length=2)
GONE = "UNREADABLE_FILE: cannot be read: No such file or directory"
DAMAGED = "UNREADABLE_FILE: damaged in its ZIP file, or packed in a way that is not read"


@pytest.fixture
def panecho(server: TritonServer) -> Iterator[PanEcho]:
    with PanEcho(server.grpc_url) as client:
        yield client


def zip_with_damage(path: Path, members: dict[str, bytes]) -> None:
    """Write a ZIP file whose last member's last byte has changed."""
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    written = bytearray(path.read_bytes())
    last = [*members.values()][-1]
    written[written.rindex(last) + len(last) - 1] ^= 1
    path.write_bytes(written)


@pytest.fixture
def found(cine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A file that goes after it was found, a cine, and a damaged member of a ZIP file."""
    monkeypatch.setattr(
        "panecho_client._async_client.find_files", lambda paths: FoundFiles(files=tuple(paths), left_out=())
    )
    zip_with_damage(tmp_path / "1.zip", {"DOE^JANE": b"content"})
    return [tmp_path / "gone.dcm", cine, tmp_path / "1.zip/DOE^JANE"]


@pytest.mark.parametrize("batching", get_args(Batching))
def test_others_are_predicted(panecho: PanEcho, found: list[Path], batching: Batching) -> None:
    study = panecho.predict_study(found, clip_options=OPTIONS, batching=batching)
    first, second, third = study.videos
    assert (first.status, first.ok, second.ok, third.status) == (GONE, False, True, DAMAGED)
    assert np.isfinite(study["EF"].value)


def test_embeddings_and_key_frames_leave_them_out(panecho: PanEcho, found: list[Path]) -> None:
    embeddings = panecho.embed(found, clip_options=OPTIONS)
    assert embeddings[found[0]] == GONE
    assert isinstance(embeddings[found[1]], np.ndarray)
    assert [*panecho.key_frames(found, clip_options=OPTIONS)] == [found[1]]


@pytest.mark.parametrize("batching", get_args(Batching))
def test_they_fail_a_request_that_shall_fail(panecho: PanEcho, found: list[Path], batching: Batching) -> None:
    with pytest.raises(FilesError, match=r"gone\.dcm cannot be read: No such file"):
        panecho.predict_study(found, clip_options=OPTIONS, batching=batching, on_error="fail")


@pytest.mark.parametrize("batching", get_args(Batching))
def test_none_that_can_be_read(panecho: PanEcho, found: list[Path], batching: Batching) -> None:
    empty = found[0].with_name("empty")
    empty.touch()
    for left in ([found[0]], [found[0], empty]):
        with pytest.raises(NoUsableVideoError, match="UNREADABLE_FILE: cannot be read") as caught:
            panecho.predict_study(left, batching=batching)
        assert caught.value.codes == ("UNREADABLE_FILE", "EMPTY_FILE")[: len(left)]
        assert not caught.value.without_cine


def test_a_damaged_zip_member_fails_no_study_of_a_run(server: TritonServer, cine: Path, tmp_path: Path) -> None:
    archive, output = tmp_path / "study.zip", tmp_path / "out"
    zip_with_damage(archive, {"a.dcm": cine.read_bytes(), "b.dcm": cine.read_bytes() + b"mark"})
    quick = ("--num-clips", "1", "--clip-length", "2", "--tasks", "EF")
    done = invoke("predict", archive, "--url", server.grpc_url, *quick, "--output", output)
    assert "1 of 1 studies predicted, 0 failed." in done.stderr, done.output
    assert done.exit_code == 0
    assert DAMAGED in (output / "predictions.csv").read_text()
