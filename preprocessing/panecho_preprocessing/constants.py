"""Numbers that the published model fixes, and the ranges of a request's options; each is named once, here."""

from typing import Final, Literal

# PanEcho is trained on frames resized to a square of 256 pixels (OpenCV INTER_AREA, aspect ratio not kept), of which
# it sees the middle square of 224.
RESIZE: Final = 256
CROP: Final = 224
FRAME_BYTES: Final = CROP * CROP * 3

# A clip is 16 consecutive frames, and the published evaluation averages four clips of a video.
CLIP_LENGTH: Final = 16
NUM_CLIPS: Final = 4
FRAME_STRIDE: Final = 1

# The published model reads a clip as images of three planes, mostly of one channel of three consecutive frames. Clips
# whose starts differ by a multiple of three frames have most of these images in common.
PLANES_PER_IMAGE: Final = 3

# The published training code reads frames with OpenCV and never swaps the channels: channel 0 is blue. Grey pixels are
# the same either way; colour Doppler is not.
CHANNEL_ORDER: Literal["BGR", "RGB"] = "BGR"

# Positions are a formula, so the weights take any length; the limits only bound the cost of one request.
MAX_CLIP_LENGTH: Final = 64
MAX_NUM_CLIPS: Final = 32
MAX_FRAME_STRIDE: Final = 16
MAX_FRAME_RATE: Final = 200
MAX_FRAMES: Final = 100_000

# The published preparation leaves out DICOM objects of fewer frames per second: Doppler and the like.
PUBLISHED_MIN_FRAME_RATE: Final = 25
