"""Context that keeps a little of the layout: the averages of a map's cells."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

__all__ = ["grid_average"]

_POOLS: dict[int, Callable[..., Tensor]] = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}


def grid_average(x: Tensor, cells: int) -> Tensor:
    """The averages over the cells of a grid, channel by channel: `(B, C, *S)` → `(B, C · cells^d)`.

    On a map that the grid does not divide, cells overlap, so that none is empty.

    Args:
        x: `(B, C, *S)` with d spatial dimensions.
        cells: cells per dimension; 1 is the global average.
    """
    return (x.flatten(2).mean(2) if cells == 1 else _POOLS[x.dim() - 2](x, cells)).flatten(1)
