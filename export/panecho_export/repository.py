"""Makes a model repository servable: its files, the weights' identity and the TorchScript models."""

import shutil
from pathlib import Path

from torch import Tensor

from panecho_export.checkpoint import load_model, read_checkpoint
from panecho_export.errors import RepositoryError
from panecho_export.model import ImageEncoder
from panecho_export.rendering import MODELS, rendered
from panecho_export.stand_in import stand_in_weights, with_training_means
from panecho_export.torchscript import CHECKED_CLIPS, CHECKED_FRAMES, save, script
from panecho_export.weights import Weights, checkpoint_identity, stand_in_identity

BACKBONE_FILE = Path("backbone/1/model.pt")
IMAGE_ENCODER_FILE = Path("image_encoder/1/model.pt")


def source_repository() -> Path:
    """Return the model repository that came with this package: the one inside the wheel, or the checkout's."""
    here = Path(__file__).parent
    candidates = (here / "model_repository", here.parents[1] / "model_repository")
    for candidate in candidates:
        if (candidate / "panecho" / "config.pbtxt").is_file():
            return candidate
    raise RepositoryError(f"{candidates[0]}: missing from this installation; install panecho-triton again.")


def copy_repository(target: Path) -> None:
    """Copy the repository's own files, without any exported model, over ``target``."""
    source = source_repository()
    if target.resolve() == source.resolve():
        return
    ignored = shutil.ignore_patterns("__pycache__", "*.pt")
    try:
        for model in MODELS:
            shutil.copytree(source / model, target / model, dirs_exist_ok=True, ignore=ignored)
    except OSError as error:
        raise RepositoryError(f"{target}: cannot be written: {error.strerror or error}") from error


def export_weights(tensors: dict[str, Tensor], identity: Weights, target: Path) -> Path:
    """Make ``target`` servable with ``tensors``, given under their released names.

    Returns:
        The path of the backbone's TorchScript model. It is written last: a repository without it is not servable.

    Raises:
        ExportError: The tensors are not PanEcho's, or the repository cannot be written.
    """
    model = load_model(tensors)
    backbone = script(model, CHECKED_CLIPS)
    image_encoder = script(ImageEncoder(model), CHECKED_FRAMES)
    copy_repository(target)
    for path, text in rendered(target, identity).items():
        path.write_text(text)
    save(image_encoder, target / IMAGE_ENCODER_FILE)
    save(backbone, target / BACKBONE_FILE)
    return target / BACKBONE_FILE


def export_checkpoint(checkpoint: Path, target: Path) -> Path:
    """Make ``target`` servable from a checkpoint file in the released format; see ``export_weights``."""
    return export_weights(read_checkpoint(checkpoint), checkpoint_identity(checkpoint), target)


def export_stand_in(seed: int, target: Path) -> Path:
    """Make ``target`` servable with stand-in weights of ``seed``, regression biases at the training means."""
    return export_weights(with_training_means(stand_in_weights(seed)), stand_in_identity(seed), target)
