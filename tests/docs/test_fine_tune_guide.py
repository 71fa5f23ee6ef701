"""The commands of the guide to fine-tuning, in their order, on real cines and stand-in weights."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from panecho_model.stand_in import stand_in_weights
from panecho_server import ServerSettings
from support.cines import different_cines
from support.commands import invoke
from support.exports import one_clip_compared
from support.serve import running_server

GUIDE = (Path(__file__).parents[2] / "docs/guide/fine-tune.md").read_text()
SMALL = {
    "train": ["--set", "epochs=1", "--set", "clip_length=2", "--set", "num_clips=1", "--workers", "0"],
    "export": ["--parts", "study", "--precision", "fp32"],
    "predict": ["--num-clips", "1"],
    "evaluate": ["--num-clips", "1", "--resamples", "0"],
    "embed": ["--num-clips", "1", "--clip-length", "2"],
}
"""Options that make a command small enough for a test; the guide's own come first."""


PATIENTS = (0, 1, 2, 3, 4, 6, 5, 9, 13, 23)
"""Their hashes put six into train, and two each into val and test."""


def commands() -> list[list[str]]:
    """The guide's panecho commands, up to those on public data sets."""
    own = GUIDE.partition("## Public data sets")[0]
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", own, re.DOTALL))
    return [shlex.split(line)[1:] for line in blocks.splitlines() if line.startswith("panecho ")]


@pytest.fixture
def folder(tmp_path: Path, cine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the guide begins with: cines, a spreadsheet, a recipe, PanEcho's weights; and a study to predict."""
    for name in ("cines", "study"):
        (tmp_path / name).mkdir()
    rows = ["video,patient,study,EF,calcified"]
    for number, data in zip(PATIENTS, different_cines(cine.read_bytes(), len(PATIENTS)), strict=True):
        (tmp_path / f"cines/{number:04}.dcm").write_bytes(data)
        label = ("absent", "present")[number % 2]
        rows.append(f"cines/{number:04}.dcm,MRN{number},S{number},{40 + 2 * number},{label}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "study/a4c.dcm").write_bytes(cine.read_bytes())
    (tmp_path / "recipe.yaml").write_text("".join(re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)))
    torch.save({"weights": stand_in_weights(0)}, tmp_path / "panecho.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.long
@pytest.mark.usefixtures("folder")
def test_every_command_runs(tmp_path: Path) -> None:
    done = commands()
    names = [command[0] for command in done]
    assert names == ["dataset", "dataset", "train", "export", "serve", "predict", "evaluate", "train", "embed", "train"]
    serve = names.index("serve")
    for command in done[:serve]:
        run(command)
    repository = Path(done[serve][done[serve].index("--model-repository") + 1])
    settings = ServerSettings(
        model_repository=repository, http_port=0, grpc_port=0, metrics_port=0, log_file=tmp_path / "log"
    )
    with running_server(settings) as server:
        for command in done[serve + 1 :]:
            run([part.replace("localhost:8001", server.grpc_url) for part in command], server.grpc_url)
    assert "Aortic valve calcification" in Path("report.html").read_text()
    for name in ("calcification", "probe", "probe-2"):
        assert (tmp_path / "runs" / name / "model-card.md").is_file()


def run(command: list[str], url: str | None = None) -> None:
    """Run a command with what makes it small; `panecho dataset check` may find that ten videos leave a split empty."""
    more = SMALL.get(command[0], [])
    if command[0] == "embed" and url is not None:
        more = [*more, "--url", url]
    with one_clip_compared():
        result = invoke(*command, *more)
    allowed = (0, 1) if command[:2] == ["dataset", "check"] else (0,)
    assert result.exit_code in allowed, f"{command}: {result.output}"
    if result.exit_code == 1:
        assert set(re.findall(r"in split (\w+)", result.stdout)) <= {"val", "test"}, result.stdout
