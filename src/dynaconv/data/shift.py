"""The augmentation usual for small images: each shifted by a few pixels and mirrored at random."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["shift_and_mirror"]


def shift_and_mirror(x: Tensor, seed: int, padding: int = 4, first: int = 0) -> Tensor:
    """`x: (B, C, H, W)`, each image cut at a random place out of itself with a border of zeros, and mirrored or not.

    Args:
        x: images.
        seed: decides the places; they are drawn on the CPU, whatever the device.
        padding: width of the border.
        first: the number of the first image in the batch that the draw is for; a part of a batch is treated as in it.
    """
    batch, _, height, width = x.shape
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(first + batch, 3, generator=generator)[first:].to(x.device)
    down, right = ((2 * padding + 1) * drawn[:, :2]).long().unbind(1)
    columns = torch.arange(width, device=x.device).expand(batch, -1)
    columns = torch.where(drawn[:, 2:] < 0.5, columns.flip(1), columns) + right[:, None]
    rows = torch.arange(height, device=x.device) + down[:, None]
    which = torch.arange(batch, device=x.device)[:, None, None]
    # Indexing by three tensors around a slice puts the channels last.
    cut = F.pad(x, (padding,) * 4)[which, :, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2)
