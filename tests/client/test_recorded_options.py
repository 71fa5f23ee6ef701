"""Everything that records how clips are made records every choice, also one that is added to ``ClipOptions`` later."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from panecho_client import ClipOptions, FilesError, PanEcho, StudyResult
from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._commands.predict_archive import run_settings
from panecho_preprocessing import ClipOptions as ServerClipOptions
from panecho_server import TritonServer

CHOSEN = ClipOptions(
    num_clips=2,
    clip_length=4,
    frame_stride=2,
    frame_rate=20.5,
    max_frames=27,
    min_frame_rate=5.5,
    framing="tight",
    mask="region",
    crop="sector",
    colour="grey",
    decode_scale="reduced",
)
NAMES = [field.name for field in fields(ClipOptions)]
PAGES = {"contract.md": "| `{}` |", "command-line.md": "--{}"}
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def panecho(server: TritonServer) -> Iterator[PanEcho]:
    with PanEcho(server.grpc_url) as client:
        yield client


@pytest.fixture(scope="module")
def study(panecho: PanEcho, cine: Path) -> StudyResult:
    return panecho.predict_study(cine, tasks=["EF"], clip_options=CHOSEN, embedding=False)


def settings(panecho: PanEcho, options: ClipOptions) -> dict[str, Any]:
    request = PredictionRequest(tasks=["EF"], clip_options=options, on_error="skip", key_frames=False)
    return dict(run_settings(request, panecho.tasks, panecho.weights))


@pytest.fixture(scope="module")
def run(panecho: PanEcho, study: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> OutputFolder:
    """A run over one study, with a report to read and a structured report."""
    folder = OutputFolder(tmp_path_factory.mktemp("run"), html=True, sr=True)
    folder.prepare(resume=False, settings=settings(panecho, CHOSEN))
    folder.write("one", study)
    return folder


def test_every_choice_differs_from_its_default() -> None:
    assert [name for name in NAMES if getattr(CHOSEN, name) == getattr(ClipOptions(), name)] == []


def test_the_server_and_the_client_have_the_same_choices_and_defaults() -> None:
    of_server = {field.name: field.default for field in fields(ServerClipOptions)}
    of_client = {field.name: field.default for field in fields(ClipOptions)}
    assert of_server.keys() - of_client.keys() == {"key_frames", "on_error"}
    of_server["clip_length"] = None  # as the model was exported
    assert of_client == {name: of_server[name] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_what_records_clips_records_each_choice(name: str, run: OutputFolder, study: StudyResult) -> None:
    value = getattr(CHOSEN, name)
    sent = value if isinstance(value, int) else str(value)
    written = run.path / "studies" / "one"
    assert study.parameters[name] == sent
    assert study.to_dict()["parameters"][name] == sent
    assert json.loads((written / "prediction.json").read_text())["parameters"][name] == sent
    assert json.loads((run.path / "run.json").read_text())[name] == sent
    assert re.search(rf"<dt>{name}</dt><dd>{sent}</dd>", (written / "report.html").read_text())
    assert f"{name}={sent}".encode() in (written / "report.dcm").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_not_resumed_with_another_choice(name: str, panecho: PanEcho, run: OutputFolder) -> None:
    other = replace(CHOSEN, **{name: getattr(ClipOptions(), name)})
    with pytest.raises(FilesError, match=rf"started with other settings: {name} was .* and is "):
        run.prepare(resume=True, settings=settings(panecho, other))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_names_each_choice(name: str, page: str) -> None:
    shown = name if page == "contract.md" else name.replace("_", "-")
    assert PAGES[page].format(shown) in (REFERENCE / page).read_text()
