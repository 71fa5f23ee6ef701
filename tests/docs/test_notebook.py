"""The notebook of the guide runs from the first cell to the last, and shows what it says."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from panecho_server import TritonServer
from support.cines import first_frames

NOTEBOOK = Path(__file__).parents[2] / "docs/guide/study.ipynb"


def test_it_runs(server: TritonServer, cine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tmp_path / "study.dcm"
    study.write_bytes(first_frames(cine.read_bytes(), 6))
    monkeypatch.setenv("PANECHO_URL", server.grpc_url)
    monkeypatch.setenv("PANECHO_STUDY", str(study))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown: list[dict[str, Any]] = [
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert any("<th>Measurement</th>" in data.get("text/html", "") for data in shown)
    assert any("image/png" in data for data in shown)
    assert any("AVStenosis:None" in data.get("text/html", "") for data in shown)
    assert "Not for clinical use" in (tmp_path / "report.html").read_text()


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # as above
    for cell in notebook.cells:
        assert not cell.get("outputs"), "clear the outputs: they are those of one server"
