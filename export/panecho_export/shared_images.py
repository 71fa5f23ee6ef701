"""Finds equal images among those of a batch of clips, so that each is encoded once.

Clips of a short cine overlap. An image holds three consecutive planes of a clip (see ``channel_planes``), so clips
whose starts differ by three frames have most images in common: 34 different ones instead of 64 in four clips of 30
frames. A video that is shorter than a clip repeats its last frame.
"""

import torch
from torch import Tensor


def distinct_images(planes: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """Return which images are different, and for each image which of those it is.

    Args:
        planes: UINT8 [N, 3, rows, columns].
        kinds: INT64 [N]. Images of different kinds are different.

    Returns:
        INT64 [U], indices of the first of each different image, and INT64 [N], an index into those.
    """
    count = planes.shape[0]
    everything = torch.arange(count, device=planes.device)
    levels = planes.reshape(count, -1)[:, ::61].to(torch.int64)  # of some pixels in every row
    weights = torch.arange(1, levels.shape[1] + 1, device=planes.device) * 0x5851F42D4C957F2D
    hashes = (levels * (weights ^ (weights >> 29))).sum(dim=1) * 31 + kinds
    _, which = torch.unique(hashes, return_inverse=True)
    distinct = int(which.max()) + 1
    if distinct == count:
        return everything, everything
    first = torch.full((distinct,), count, device=planes.device).scatter_reduce(0, which, everything, "amin")
    if not _are_equal(planes, kinds, first[which], everything):
        return everything, everything
    return first, which


def _are_equal(planes: Tensor, kinds: Tensor, original: Tensor, everything: Tensor) -> bool:
    """Compare each image with the one that has its hash: a hash alone proves nothing."""
    copies = everything[original != everything]
    originals = original[copies]
    if not torch.equal(kinds[copies], kinds[originals]):
        return False
    step = 64  # bounds the memory
    for start in range(0, len(copies), step):
        part = slice(start, min(start + step, len(copies)))
        if not torch.equal(planes[copies[part]], planes[originals[part]]):
            return False
    return True
