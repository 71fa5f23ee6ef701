"""How tests in bf16 and FP16 end soon on a CPU without AVX-512, which takes about a second for a whole frame."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from panecho_model.constants import FRAME_SIZE

SIDE = 64


def middle(frames: Tensor) -> Tensor:
    """Cut the middle 64 by 64 pixels out of frames [..., 224, 224, 3].

    For what does not depend on the size of a picture: which layers are computed in which precision, and into which
    passes images are divided.
    """
    start = (FRAME_SIZE - SIDE) // 2
    return frames[..., start : start + SIDE, start : start + SIDE, :].contiguous()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: pieces so small that threads wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
