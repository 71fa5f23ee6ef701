"""Stand-in weights of seed 0, the clips and the numbers that the published code computes with them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from panecho_export.torchscript import script
from panecho_model.architecture import ImageEncoder, PanEchoModel
from panecho_model.checkpoint import load_model
from panecho_model.stand_in import stand_in_weights

Golden = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="session")
def golden() -> Golden:
    with np.load(Path(__file__).parents[1] / "model" / "data" / "golden_seed0.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="session")
def weights() -> dict[str, Tensor]:
    return stand_in_weights(0)


@pytest.fixture(scope="session")
def eager(weights: dict[str, Tensor]) -> PanEchoModel:
    return load_model(weights)


@pytest.fixture(scope="session")
def scripted(eager: PanEchoModel) -> torch.jit.ScriptModule:
    return script(eager)


@pytest.fixture(scope="session")
def eager_image_encoder(eager: PanEchoModel) -> ImageEncoder:
    return ImageEncoder(eager)


@pytest.fixture(scope="session")
def scripted_image_encoder(eager_image_encoder: ImageEncoder) -> torch.jit.ScriptModule:
    return script(eager_image_encoder)
