"""The way from labelled cines to a served model: fine-tune, export, serve, predict; nothing is changed in between."""

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from panecho_client import ClipOptions, PanEcho
from panecho_client.outputs import build_sr, identify, long_rows, render_html
from panecho_model import PanEcho as HubPanEcho
from panecho_model.checkpoint_files import read_checkpoint
from panecho_server import ServerSettings
from support.cines import different_cines
from support.commands import invoke
from support.exports import one_clip_compared
from support.serve import running_server

CLIP_LENGTH = 4
RECIPE = f"""
name: calcification
tasks:
  - EF
  - LVIDd
  - AVStenosis
  - AVStructure
  - LVWallMotionAbnormalities
  - key: calcified
    kind: binary
    classes: [absent, present]
    group: Aortic valve
    description: Aortic valve calcification
  - key: z-score
    kind: regression
    description: Diameter of the aortic root in deviations from the mean of the body surface
clip_length: {CLIP_LENGTH}
num_clips: 1
batch_size: 8
clips_per_pass: 4
epochs: 1
learning_rate: 1.0e-3
"""


def labelled(folder: Path, cine: Path) -> Path:
    """Ten cines of five patients, with a table of their labels."""
    table = folder / "table.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        header = ("EF", "LVIDd", "AVStenosis", "AVStructure", "LVWallMotionAbnormalities", "calcified", "z-score")
        rows.writerow(("video", "patient", "split", *header))
        for number, data in enumerate(different_cines(cine.read_bytes(), 10)):
            (folder / f"{number}.dcm").write_bytes(data)
            labels = (
                30 + 4 * number,
                4 + number / 10,
                ("None", "Severe")[number % 2],
                ("Bicuspid", "Normal", "")[number % 3],
                number % 2,
                ("absent", "present")[number // 2 % 2],
                (number - 4.5) / 3,
            )
            split = "train" if number < 8 else "val"
            rows.writerow((f"{number}.dcm", f"P{number if number < 8 else 9}", split, *labels))
    return table


@pytest.mark.long
def test_fine_tuned_exported_served_predicted(weights: dict[str, Tensor], tmp_path: Path, cine: Path) -> None:
    torch.save({"weights": weights}, tmp_path / "panecho.pt")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    table, run = labelled(tmp_path, cine), tmp_path / "run"
    options = ("--recipe", tmp_path / "recipe.yaml", "--init", tmp_path / "panecho.pt", "--output", run)
    trained = invoke("train", table, *options, "--for-serving", "--workers", "1")
    assert trained.exit_code == 0, trained.output

    repository = tmp_path / "repository"
    with one_clip_compared():
        target = ("--model-repository", repository, "--parts", "study", "--precision", "fp32")
        exported = invoke("export", "--checkpoint", run / "best", *target)
    assert exported.exit_code == 0, exported.output

    _, record = read_checkpoint(run / "best")
    keys = [task.key for task in record.tasks]
    assert keys == [*("EF", "LVWallMotionAbnormalities", "LVIDd", "AVStructure", "AVStenosis"), "calcified", "z-score"]
    expected = trainers_predictions(run)
    settings = ServerSettings(
        model_repository=repository, http_port=0, grpc_port=0, metrics_port=0, log_file=tmp_path / "log"
    )
    with running_server(settings) as server, PanEcho(server.grpc_url) as panecho:
        assert [task.key for task in panecho.tasks] == keys
        study = panecho.predict_study(tmp_path / "8.dcm", clip_options=ClipOptions(num_clips=1))
    served = study.videos[0]
    assert served["EF"].value == pytest.approx(expected["EF"], abs=1e-4)
    assert served["z-score"].value == pytest.approx(expected["z-score"], abs=1e-4)
    assert served["calcified"].probabilities["present"] == pytest.approx(expected["calcified"], abs=1e-4)
    assert served["AVStructure"].probabilities["Bicuspid"] == pytest.approx(expected["AVStructure"], abs=1e-4)
    assert served["AVStenosis"].probabilities["Severe"] == pytest.approx(expected["AVStenosis:Severe"], abs=1e-4)

    said = study.weights
    assert said.fine_tuned_from is not None
    assert said.fine_tuned_from.startswith("panecho.pt (sha256 ")
    assert said.licence == "CC BY-NC-SA 4.0"
    assert said.manifest is not None
    assert said.manifest.clip_length == CLIP_LENGTH
    identity = identify(study)
    page = render_html(study, identity)
    assert "Aortic valve calcification" in page
    assert "Fine-tuned from" in page
    assert "calcified" in {row["task"] for row in long_rows(study, identity)}
    meanings = [str(element.value) for element in build_sr(study, identity).iterall()]
    assert any("Aortic valve calcification" in meaning for meaning in meanings)
    local = invoke("predict", tmp_path / "8.dcm", "--local", "--checkpoint", run / "best", "--num-clips", "1")
    assert local.exit_code == 0, local.output
    assert "Aortic valve calcification" in local.stdout
    hub = HubPanEcho(weights=run / "best", activations=False)
    assert list(hub(torch.zeros(1, 3, 1, 224, 224))) == keys


def trainers_predictions(run: Path) -> dict[str, float]:
    """What the trainer itself says of the first validation video, row 10 of the table, before any export."""
    rows = {row["row"]: row for row in csv.DictReader((run / "predictions-val.csv").open())}
    return {name: float(value) for name, value in rows["10"].items() if value}


@pytest.mark.long
def test_another_encoder_is_refused_at_the_start_and_at_the_export(tmp_path: Path, cine: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE + "image_encoder: test_convnext\n")
    table, run = labelled(tmp_path, cine), tmp_path / "run"
    options = ("--recipe", tmp_path / "recipe.yaml", "--init", "random", "--output", run)
    refused = invoke("train", table, *options, "--for-serving")
    assert refused.exit_code == 1
    assert "this run could not be served: its image encoder is test_convnext" in refused.stderr
    trained = invoke("train", table, *options, "--workers", "0")
    assert trained.exit_code == 0, trained.output
    exported = invoke("export", "--checkpoint", run / "best", "--model-repository", tmp_path / "repository")
    assert exported.exit_code == 1
    assert "cannot be served: its image encoder is test_convnext" in " ".join(exported.stderr.split())
    assert not (tmp_path / "repository").exists()
