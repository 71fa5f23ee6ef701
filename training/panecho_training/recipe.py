"""Every setting of a training in one object: read from YAML, checked, and written back in full."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from panecho_model.constants import MAX_CLIP_LENGTH
from panecho_preprocessing import MAX_FRAME_RATE, MAX_FRAME_STRIDE, MAX_NUM_CLIPS, ClipOptions
from panecho_preprocessing.options import Colour, Crop, FramingName, Mask
from panecho_training.errors import RecipeError, listed
from panecho_training.task_choice import NewTask

__all__ = ["PRESETS", "Recipe", "presets"]

PRESETS = files("panecho_training") / "recipes"
VIDEO_ENCODERS = ("r3d_18",)

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(BaseModel):
    """A training. The defaults are the published fine-tuning on EchoNet-Dynamic.

    Attributes:
        name: What the run is called in its records.
        tasks: Tasks to train: names of PanEcho's, and descriptions of new ones; none for those that the table has.
        keep_heads: Also save the other heads of the checkpoint that is fine-tuned. Only with a frozen backbone: they
            were trained for its embedding.
        image_encoder: timm's name of a ConvNeXt, such as convnext_tiny; or r3d_18.
        layers: Layers of the Transformer.
        frame_size: Height and width of a frame in pixels.
        layer_scale: What the layer scales of a random ConvNeXt start at; none for timm's, 1e-6.
        clip_length: Frames of a clip.
        frame_stride: Take every n-th frame.
        frame_rate: Resample videos to this rate first; none for their frames as they are.
        max_frames: Take clips from the first frames of a video only; none for all.
        framing: Which part of a frame the model sees, as in a request: auto, masked, published, tight or whole.
        mask: What is blacked out, instead of what framing says.
        crop: What the frame is cropped to, instead of what framing says.
        colour: Whether colours stay, instead of what framing says.
        num_clips: Clips of a video in validation and test, evenly spaced as served.
        augment: Whether training clips are zoomed, shifted, mirrored and turned.
        loss: ``published``: squared error divided by the mean label; ``standardised``: of labels in deviations from it.
        class_weights: ``balanced`` weights classes by the inverse of their frequency.
        head_dropout: Share of an embedding's numbers left out before each head, each with another mask.
        batch_size: Clips of an update, over all devices.
        clips_per_pass: Clips that a device computes at once; more passes make a batch of the same numbers.
        epochs: Most passes over the training videos.
        optimiser: ``adam`` or ``adamw``.
        learning_rate: Of the encoder.
        head_learning_rate_factor: Heads learn this many times as fast.
        weight_decay: Of the optimiser.
        schedule: ``plateau`` multiplies the rate by plateau_factor when the monitored number has not improved in
            plateau_patience epochs; ``cosine`` goes to 0 over all epochs; ``constant``.
        plateau_factor: See ``schedule``.
        plateau_patience: See ``schedule``.
        warm_up_epochs: The rate grows in proportion over this many epochs; may be a part of one.
        clip_gradient: Largest norm of the gradient; none for no bound.
        freeze: ``image``: the image encoder keeps its weights; ``backbone``: only the heads learn, on embeddings that
            are computed once.
        average_weights: Decay of the moving average of the weights that is validated and saved; none for none.
        monitor: What decides on the best epoch: ``loss`` of validation, or ``score``, the mean of R² and AUROC.
        patience: Stop after this many epochs without a better one; none for never.
        precision: ``auto`` is bf16 where the device has it, fp16 on other GPUs, fp32 on a CPU. Heads and loss are fp32.
            ``fp64`` is for comparisons.
        gradient_checkpointing: Compute activations twice to save memory.
        compile: Compile the encoder with torch.compile.
        folds: Number of folds of the table; each is the test split of one run.
        fold: The fold to test in this run.
        seed: Of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "fine-tuning"
    tasks: tuple[str | NewTask, ...] | None = None
    keep_heads: bool = False
    image_encoder: str = "convnext_tiny"
    layers: Positive = 4
    frame_size: Annotated[int, Field(ge=32, le=512, multiple_of=16)] = 224
    layer_scale: Rate | None = None
    clip_length: Annotated[int, Field(ge=1, le=MAX_CLIP_LENGTH)] = 16
    frame_stride: Annotated[int, Field(ge=1, le=MAX_FRAME_STRIDE)] = 1
    frame_rate: Annotated[float, Field(ge=1, le=MAX_FRAME_RATE)] | None = None
    max_frames: Annotated[int, Field(ge=1)] | None = None
    framing: FramingName = "auto"
    mask: Mask | None = None
    crop: Crop | None = None
    colour: Colour | None = None
    num_clips: Annotated[int, Field(ge=1, le=MAX_NUM_CLIPS)] = 4
    augment: bool = False
    loss: Literal["published", "standardised"] = "standardised"
    class_weights: Literal["none", "balanced"] = "none"
    head_dropout: Share = 0.0
    batch_size: Positive = 128
    clips_per_pass: Positive = 16
    epochs: Positive = 30
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: Rate = 1e-4
    head_learning_rate_factor: Rate = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["plateau", "cosine", "constant"] = "constant"
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    plateau_patience: Annotated[int, Field(ge=0)] = 2
    warm_up_epochs: Annotated[float, Field(ge=0)] = 0.0
    clip_gradient: Rate | None = None
    freeze: Literal["none", "image", "backbone"] = "none"
    average_weights: Annotated[float, Field(gt=0, lt=1)] | None = None
    monitor: Literal["loss", "score"] = "loss"
    patience: Positive | None = 10
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp64"] = "auto"
    gradient_checkpointing: bool = False
    compile: bool = False
    folds: Annotated[int, Field(ge=3)] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        if self.keep_heads and self.freeze != "backbone":
            raise ValueError("keep_heads needs freeze: backbone; heads that are not trained fit no other backbone")
        if self.freeze == "backbone" and self.augment:
            raise ValueError("freeze: backbone computes each embedding once, so augment must be false")
        if self.fold is not None and (self.folds is None or self.fold >= self.folds):
            raise ValueError(f"fold {self.fold} needs folds, a larger number")
        if self.image_encoder in VIDEO_ENCODERS and self.freeze == "image":
            raise ValueError(f"{self.image_encoder} has no image encoder to freeze; freeze the backbone")
        _ = self.clip_options  # it refuses what no request may ask for
        if self.tasks is not None and not self.tasks:
            raise ValueError("tasks is empty; name some, or leave it out for those that the table has")
        return self

    @property
    def clip_options(self) -> ClipOptions:
        """Clips of a video in validation and test, as a request would ask for them."""
        return ClipOptions(
            num_clips=self.num_clips,
            clip_length=self.clip_length,
            frame_stride=self.frame_stride,
            frame_rate=self.frame_rate,
            max_frames=self.max_frames,
            framing=self.framing,
            mask=self.mask,
            crop=self.crop,
            colour=self.colour,
        )

    @classmethod
    def read(cls, name: str | Path, changes: Mapping[str, str] | None = None) -> Self:
        """Read a preset by its name, or a YAML file.

        Args:
            name: One of ``presets()``, or a path.
            changes: Settings to replace, as text of YAML.

        Raises:
            RecipeError: There is no such recipe, or settings are wrong; the text names all of them.
        """
        source = Path(name) if Path(name).is_file() else PRESETS / f"{name}.yaml"
        if not source.is_file():
            raise RecipeError(f"{name} is neither a file nor a preset; the presets are {', '.join(presets())}.")
        try:
            settings = yaml.safe_load(source.read_text(encoding="utf-8")) or {}
            settings = settings | {key: yaml.safe_load(text) for key, text in (changes or {}).items()}
        except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
            raise RecipeError(f"{name} is not a recipe in YAML, of lines `setting: value`: {error}") from None
        return cls.of(settings, str(name))

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> Self:
        """Return the recipe of settings; errors as of ``read``."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            faults = [_fault(entry["loc"], entry["msg"], entry["input"]) for entry in error.errors()]
            raise RecipeError(f"{name} has wrong settings:{listed(faults)}") from None

    def to_yaml(self) -> str:
        """Return every setting as YAML, those left at their defaults too."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _fault(place: tuple[int | str, ...], message: str, value: object) -> str:
    name = ".".join(str(part) for part in place if part not in ("NewTask", "str"))
    shown = "" if isinstance(value, dict) or not name else f" ({value!r})"
    return f"{name or 'recipe'}{shown}: {message.removeprefix('Value error, ')}"


def presets() -> list[str]:
    """Return the names of the presets."""
    return sorted(path.name.removesuffix(".yaml") for path in PRESETS.iterdir() if path.name.endswith(".yaml"))
