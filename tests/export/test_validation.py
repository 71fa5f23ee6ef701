"""The comparison of what is exported with the eager model."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import panecho_preprocessing
from panecho_export.errors import ValidationError
from panecho_export.manifest import ExportParity
from panecho_export.validation import allowed_difference, compare, require_parity, validation_clips
from panecho_model.constants import BOUNDS, CLIP_LENGTH, MAX_CLIP_LENGTH, Precision
from panecho_model.tasks import TASKS, find_tasks

HEADS = find_tasks(["EF", "AVStenosis", "AVStructure"])
EF, _, STENOSIS = HEADS


class Constant(nn.Module):
    """Answers the same logits and embedding for every clip."""

    def __init__(self, logits: list[float], embedding: float = 0.0) -> None:
        super().__init__()
        self.logits = torch.tensor([logits])
        self.embedding = torch.full((1, 768), embedding)

    def forward(self, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.logits.repeat(len(clips), 1), self.embedding.repeat(len(clips), 1)


def test_differences_are_of_what_the_tasks_report() -> None:
    eager = Constant([60, 0, 0, 0, 0])
    exported = Constant([60.5, math.log(3), 0, 0, math.log(2)], embedding=-0.25)
    parity = compare(eager, exported, [torch.zeros(2, 1), torch.zeros(3, 1)], HEADS)
    assert parity.clips == 5
    assert parity.embedding == 0.25
    assert parity.tasks == pytest.approx({"EF": 0.5, "AVStructure": 0.25, "AVStenosis": 1 / 2 - 1 / 3})


def test_what_is_within_the_bounds_passes() -> None:
    for precision, bounds in BOUNDS.items():
        found = {task.key: allowed_difference(task, bounds) for task in TASKS}
        require_parity(ExportParity(clips=1, embedding=bounds.embedding, tasks=found), TASKS, precision)


@pytest.mark.parametrize("precision", list(BOUNDS))
def test_what_is_outside_is_named_with_its_unit(precision: Precision) -> None:
    for wrong in (EF, STENOSIS):
        found = dict.fromkeys([head.key for head in HEADS], 0.0)
        found[wrong.key] = 1.01 * allowed_difference(wrong, BOUNDS[precision])
        with pytest.raises(ValidationError, match=rf"{precision} model differs .* in {wrong.key} by"):
            require_parity(ExportParity(clips=1, embedding=0, tasks=found), HEADS, precision)


def test_no_number_is_a_fault() -> None:
    found = dict.fromkeys([head.key for head in HEADS], 0.0)
    with pytest.raises(ValidationError, match="embedding by nan"):
        require_parity(ExportParity(clips=1, embedding=math.nan, tasks=found), HEADS, "fp32")


def test_many_faults_are_counted() -> None:
    found = dict.fromkeys([task.key for task in TASKS], 1e3)
    with pytest.raises(ValidationError, match="and 36 more"):
        require_parity(ExportParity(clips=1, embedding=1e3, tasks=found), TASKS, "fp32")


def test_clips_of_a_real_file_are_compared_too(cine: Path) -> None:
    *generated, of_file = validation_clips([cine], 8)
    assert len(generated) == 3
    assert of_file.shape == (4, 8, 224, 224, 3)
    assert of_file.float().std() > 10  # a picture, not a blank


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(ValidationError, match=r"notes\.txt: cannot be used for validation: .*NOT_A_VIDEO"):
        validation_clips([tmp_path / "notes.txt"], 16)
    with pytest.raises(ValidationError, match=r"missing\.dcm: cannot be read: No such file"):
        validation_clips([tmp_path / "missing.dcm"], 16)


def test_clip_lengths_are_those_of_the_preprocessing() -> None:
    assert (CLIP_LENGTH, MAX_CLIP_LENGTH) == (panecho_preprocessing.CLIP_LENGTH, panecho_preprocessing.MAX_CLIP_LENGTH)
