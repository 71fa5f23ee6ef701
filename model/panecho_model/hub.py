"""The published call: ``PanEcho(pretrained=True, …)`` returns an ordinary PyTorch module.

Also behind ``torch.hub.load(REPOSITORY, "PanEcho", source="local")``; see hubconf.py.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor, nn

from panecho_model.checkpoint import check_layout
from panecho_model.checkpoint_files import read_checkpoint
from panecho_model.constants import CLIP_LENGTH
from panecho_model.errors import InputError
from panecho_model.published import ClipEmbedder, FrameEmbedder, TaskPredictor
from panecho_model.released_file import fetch_released
from panecho_model.tasks import TASKS, Task, find_tasks


def PanEcho(  # noqa: N802, PLR0913, PLR0917 - the published name, its options
    pretrained: bool = True,  # noqa: FBT001, FBT002 - as published
    image_encoder_only: bool = False,  # noqa: FBT001, FBT002 - as published
    backbone_only: bool = False,  # noqa: FBT001, FBT002 - as published
    tasks: str | Iterable[str] = "all",
    activations: bool = True,  # noqa: FBT001, FBT002 - as published
    clip_len: int = CLIP_LENGTH,
    *,
    weights: str | Path | None = None,
    accept_licence: bool = False,
) -> nn.Module:
    """Return PanEcho as a PyTorch module, in evaluation mode.

    The module takes FP32 [B, 3, T, 224, 224], normalised with the ImageNet mean and deviation, and returns a
    dictionary of tensors [B, C], one per task. Its ``state_dict`` has the released names.

    Example:
        >>> model = PanEcho(weights="panecho.pt", tasks=["EF", "AVStenosis"])
        >>> model(clips)["EF"].shape
        torch.Size([1, 1])

    Args:
        pretrained: Load the released weights, fetched once into the user's cache; random weights otherwise.
        image_encoder_only: Return the encoder of single frames: FP32 [B, 3, 224, 224] → [B, 768].
        backbone_only: Return the encoder of clips: FP32 [B, 3, T, 224, 224] → [B, 768].
        tasks: Names of the tasks, or ``"all"``.
        activations: Measurements and probabilities; raw heads with False, as a loss needs them.
        clip_len: Frames of a clip, as published. Any other length works too: the positions are a formula.
        weights: Checkpoint to load instead of the released file: a path or an https:// address. That of a training
            brings its tasks.
        accept_licence: Accept the weights' licence, CC BY-NC-SA 4.0, so that they may be fetched.

    Raises:
        InputError: Both encoders are asked for, or ``clip_len`` is below 1.
        TaskError: PanEcho has no such task.
        CheckpointError: The checkpoint cannot be read or does not fit.
        DownloadError: The released weights cannot be fetched, or their licence is not accepted.
    """
    if image_encoder_only and backbone_only:
        raise InputError(
            "image_encoder_only and backbone_only are both True; choose one, for each returns another module."
        )
    if clip_len < 1:
        raise InputError(f"clip_len is {clip_len}; give the frames of a clip, 1 or more (PanEcho was trained with 16).")
    tensors, known = (
        _read(weights, accept_licence=accept_licence) if pretrained or weights is not None else (None, TASKS)
    )
    model = _build(
        tasks, known, image_encoder_only=image_encoder_only, backbone_only=backbone_only, activations=activations
    )
    if tensors is not None:
        wanted = model.state_dict()
        model.load_state_dict({name: tensor.float() for name, tensor in tensors.items() if name in wanted})
    return model.eval()


def _build(
    tasks: str | Iterable[str],
    known: Sequence[Task],
    *,
    image_encoder_only: bool,
    backbone_only: bool,
    activations: bool,
) -> nn.Module:
    if image_encoder_only:
        return FrameEmbedder()
    if backbone_only:
        return ClipEmbedder()
    if tasks == "all":
        return TaskPredictor(known, activations=activations)
    keys = [tasks] if isinstance(tasks, str) else list(tasks)
    return TaskPredictor(find_tasks(keys, known), activations=activations)


def _read(weights: str | Path | None, *, accept_licence: bool) -> tuple[dict[str, Tensor], Sequence[Task]]:
    """Return the tensors of a whole checkpoint, and the tasks that it has heads of."""
    if weights is None:
        path = fetch_released(accept_licence=accept_licence)
    elif str(weights).startswith(("https://", "http://")):
        path = fetch_released(url=str(weights), accept_licence=accept_licence)
    else:
        path = Path(weights)
    tensors, record = read_checkpoint(path)
    check_layout(tensors, record.tasks)
    return tensors, record.tasks
