"""Numbers of the published model, each named once."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]

FRAME_SIZE = 224
"""Height and width of a frame in a clip, pixels."""

FEATURES = 768
"""Width of a frame's features, of the Transformer and of the clip embedding."""

TRANSFORMER_LAYERS = 4
TRANSFORMER_HEADS = 8

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Per channel, in the order in which the channels come: the published code normalises OpenCV's BGR with them as is."""

IMAGES_PER_PASS = 64
"""Images that the image encoder takes at once: bounds the memory of a large batch."""

MAX_CLIPS = 128
"""Clips in one batch of the backbone (its ``max_batch_size``), and so the most that a request may need."""

MAX_FRAMES = 256
"""Frames in one batch of the image encoder served alone (its ``max_batch_size``)."""

CLIP_LENGTH = 16
"""Frames of a clip that the model was trained with: the default."""

MAX_CLIP_LENGTH = 64
"""Frames of a clip that the preprocessing gives at most."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How far an exported model may be from the eager FP32 model, largest absolute differences over the clips compared.

    Attributes:
        regression: As a fraction of the task's training mean, the only published scale of a measurement.
        probability: Of a class, from 0 to 1.
        embedding: Of any of the 768 numbers.
    """

    regression: float
    probability: float
    embedding: float


BOUNDS: dict[Precision, Bounds] = {
    "fp32": Bounds(regression=1e-4, probability=1e-4, embedding=1e-4),
    "bf16": Bounds(regression=0.04, probability=0.02, embedding=0.08),
    "fp16": Bounds(regression=0.006, probability=0.003, embedding=0.015),
}
"""They catch a conversion that went wrong; weights other than stand-ins may differ more. What an export is off by is in
its manifest.

Measured with stand-in weights 0 on a CPU, over generated clips (noise) and two clips of 16 frames of each of three real
cines (SonoSite and Acuson grey, GE colour Doppler); fp16 with torch's autocast, on noise and SonoSite alone:

    precision   regression                          probability   embedding
    fp32        2.4e-6 (LVPWd 2.5e-6 cm)            6.1e-7        3.5e-6
    bf16        0.0061 (LVPWd 0.0063 cm; EF 0.01 %) 0.0029        0.015
    fp16        0.0028 (LVPWd 0.0029 cm)            0.0013        0.0050

Heads of stand-in weights are as large for a wall's centimetres as for a volume's millilitres, so the fraction is
largest where the mean is about 1.
"""
