"""Which frames a training sees, and that they do not depend on who reads them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional

from panecho_model.tasks import find_tasks
from panecho_preprocessing import ClipOptions, clip_at, video_clips
from panecho_training.augmentation import Augmentation
from panecho_training.batch_order import BatchOrder
from panecho_training.clip_loader import Batch, EvaluationClips, TrainingClips, load
from panecho_training.errors import RecipeError, TrainingError
from panecho_training.losses import head_targets
from panecho_training.recipe import Recipe
from panecho_training.table import Table, read_table
from support.ellipse_videos import write_avi

TASKS = find_tasks(["EF"])
FRAMES = 40
RECIPE = Recipe(clip_length=16, batch_size=4, clips_per_pass=2)


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.uint8]:
    """An AVI whose frame n has the grey level 20 + 5n, as bytes."""
    path = tmp_path_factory.mktemp("numbered") / "numbered.avi"
    levels = 20 + 5 * np.arange(FRAMES, dtype=np.uint8)
    write_avi(path, np.broadcast_to(levels[:, None, None], (FRAMES, 64, 64)).copy())
    return np.fromfile(path, np.uint8)


def numbers(clip: NDArray[np.uint8]) -> list[int]:
    """The numbers of the frames of a clip."""
    levels = clip.reshape(len(clip), -1).mean(axis=1)
    return [round((float(level) - 20) / 5) for level in levels]


def test_a_clip_is_the_frames_from_its_start(numbered: NDArray[np.uint8]) -> None:
    options, starts = ClipOptions(), FRAMES - 16 + 1
    for start in range(starts):
        clip = clip_at(numbered, options, (start + 0.5) / starts)
        assert clip.shape[:3] == (16, 224, 224)
        assert numbers(clip) == list(range(start, start + 16))
    assert numbers(clip_at(numbered, options, 0.999999))[-1] == FRAMES - 1
    assert numbers(clip_at(numbered, replace(options, frame_stride=2), 0.0)) == list(range(0, 32, 2))
    assert numbers(clip_at(numbered, replace(options, clip_length=64), 0.5)) == [*range(FRAMES), *[FRAMES - 1] * 24]


def test_a_clip_is_what_a_server_sees(numbered: NDArray[np.uint8], cine: Path) -> None:
    options = ClipOptions(num_clips=1)
    dicom = np.fromfile(cine, np.uint8)
    for data, last in ((numbered, FRAMES - 16), (dicom, 30 - 16)):
        place = (last // 2 + 0.5) / (last + 1)
        served = video_clips(data, options)[0]
        np.testing.assert_array_equal(np.broadcast_to(clip_at(data, options, place), served.shape), served)
        bordered = clip_at(data, options, place, border=True)
        assert bordered.shape[1:3] == (256, 256)
        middle = Augmentation.none().apply(bordered)
        np.testing.assert_array_equal(np.broadcast_to(middle, served.shape), served)


def test_an_augmentation_treats_all_frames_alike() -> None:
    random = np.random.default_rng(0)
    frame = random.integers(256, size=(256, 256, 1), dtype=np.uint8)
    frames = np.stack([frame] * 5)
    for _ in range(10):
        done = Augmentation.draw(random).apply(frames)
        assert done.shape == (5, 224, 224, 1)
        assert (done == done[0]).all()


def test_an_augmentation_is_torchvisions() -> None:
    """Pad, crop and mirror exactly; a turn but for pixels whose nearest neighbour is a matter of rounding."""
    random = np.random.default_rng(1)
    noise = random.integers(256, size=(256, 256, 1), dtype=np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)[..., None]
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    for _ in range(10):
        drawn = Augmentation.draw(random)
        padded = functional.pad(tensor, [64, 64, 64, 64])
        window = functional.crop(padded, drawn.top + 64, drawn.left + 64, 224, 224)
        window = functional.horizontal_flip(window) if drawn.mirrored else window
        still = replace(drawn, angle=0.0).apply(image[None])[0]
        np.testing.assert_array_equal(still, window.permute(1, 2, 0).numpy())
        turned = functional.rotate(window, drawn.angle).permute(1, 2, 0).numpy().astype(int)
        different = np.abs(drawn.apply(image[None])[0].astype(int) - turned) > 8
        assert different.mean() < 0.02


def test_what_is_drawn_is_as_published() -> None:
    random = np.random.default_rng(2)
    drawn = [Augmentation.draw(random) for _ in range(4000)]
    assert np.mean([one.mirrored for one in drawn]) == pytest.approx(0.5, abs=0.03)
    assert max(abs(one.angle) for one in drawn) <= 15
    assert min(one.top for one in drawn) >= -51  # (1.2 - 1) * 256
    assert max(one.top for one in drawn) <= 32 + 51
    inside = [one for one in drawn if 0 <= one.top <= 32 and 0 <= one.left <= 32]
    assert 0.5 < len(inside) / len(drawn) < 0.85


def split(videos: Path) -> Table:
    table, _ = read_table(videos, TASKS)
    return table.split("train")


def batches(table: Table, recipe: Recipe, workers: int, epoch: int = 0) -> list[Batch]:
    order = BatchOrder(videos=len(table), batch_size=4, clips_per_pass=2, seed=recipe.seed)
    clips = TrainingClips(table, head_targets(TASKS, table.labels), recipe)
    return list(load(clips, list(order.keys(epoch)), workers=workers))


def test_clips_do_not_depend_on_the_workers(videos: Path) -> None:
    table, recipe = split(videos), RECIPE.model_copy(update={"augment": True, "frame_size": 32, "clip_length": 4})
    alone, helped = batches(table, recipe, 0), batches(table, recipe, 2)
    assert len(alone) == 4
    for one, other in zip(alone, helped, strict=True):
        assert one.videos == other.videos
        torch.testing.assert_close(one.inputs, other.inputs, rtol=0, atol=0)
        torch.testing.assert_close(one.targets, other.targets, rtol=0, atol=0)
    later = batches(table, recipe, 0, epoch=1)
    assert [batch.videos for batch in later] != [batch.videos for batch in alone]
    assert alone[0].inputs.shape == (2, 4, 32, 32, 1)  # grey: the network repeats the channel


def test_evaluation_clips_are_those_of_a_request(videos: Path) -> None:
    table = split(videos)
    clips = EvaluationClips(table, head_targets(TASKS, table.labels), RECIPE)
    for video, read, _ in load(clips, range(2), workers=0, collate=False):
        expected = video_clips(np.fromfile(table.videos[video], np.uint8), ClipOptions())
        np.testing.assert_array_equal(read, expected)


def test_a_batch_is_the_same_for_any_number_of_processes() -> None:
    alone = BatchOrder(videos=50, batch_size=8, clips_per_pass=8)
    assert alone.steps == 6
    for step in range(alone.steps):
        whole = {key for part in alone.passes(3, step) for key in part}
        shared = [
            key
            for rank in range(3)
            for part in BatchOrder(videos=50, batch_size=8, clips_per_pass=2, rank=rank, world=3).passes(3, step)
            for key in part
        ]
        assert sorted(shared) == sorted(whole)
    epoch = [video for part in alone.keys(0) for _, video in part]
    assert max(Counter(epoch).values()) == 1
    assert list(alone.keys(0))[2:] == list(alone.keys(0, first_step=2))


def test_fewer_clips_than_processes_are_refused() -> None:
    with pytest.raises(RecipeError, match="4 processes share batches of 3 clips"):
        BatchOrder(videos=3, batch_size=8, clips_per_pass=1, world=4)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_video_is_named_by_its_row(videos: Path, tmp_path: Path, workers: int) -> None:
    table = split(videos)
    (tmp_path / "broken.avi").write_bytes(b"RIFFxxxxAVI nothing")
    broken = replace(table, videos=(tmp_path / "broken.avi", *table.videos[1:]))
    with pytest.raises(TrainingError, match=r"^row 2 of the table: UNREADABLE_VIDEO"):
        batches(broken, RECIPE, workers)
