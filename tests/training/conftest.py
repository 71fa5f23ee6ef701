"""A few tiny videos, and a recipe that trains on them in seconds."""

from pathlib import Path

import pytest

from support.ellipse_videos import write_videos

TINY = """
name: tiny
tasks: [EF, LVIDd]
image_encoder: test_convnext
layers: 1
layer_scale: 1.0
frame_size: 32
clip_length: 4
num_clips: 2
batch_size: 4
clips_per_pass: 2
learning_rate: 1.0e-3
epochs: 2
"""


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of 15 videos of 32 pixels and 16 frames: 9 to train, 3 to validate, 3 to test."""
    return write_videos(tmp_path_factory.mktemp("videos"), 15, splits=(0.6, 0.8))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path
