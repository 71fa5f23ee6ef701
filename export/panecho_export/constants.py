"""Numbers of the published model, each named once."""

FRAME_SIZE = 224
"""Height and width of a frame in a clip, pixels."""

FEATURES = 768
"""Width of a frame's features, of the Transformer and of the clip embedding."""

TRANSFORMER_LAYERS = 4
TRANSFORMER_HEADS = 8
TRANSFORMER_FEEDFORWARD = 768

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Per channel, in the order in which the channels come: the published code normalises OpenCV's BGR with them as is."""

IMAGES_PER_PASS = 64
"""Images that the image encoder takes at once: bounds the memory of a large batch."""

MAX_CLIPS = 128
"""Clips in one batch of the backbone (its ``max_batch_size``), and so the most that a request may need."""

MAX_FRAMES = 256
"""Frames in one batch of the image encoder served by itself (its ``max_batch_size``)."""
