"""Context that keeps a little of the layout: the averages of a map's cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["cell_averages", "grid_average"]

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
    return (x.flatten(2).mean(2) if cells == 1 else cell_averages(x, [cells] * (x.dim() - 2))).flatten(1)


def cell_averages(x: Tensor, size: Sequence[int]) -> Tensor:
    """The averages over the cells of a grid as a map, as adaptive average pooling has them.

    Args:
        x: `(B, C, *S)`.
        size: cells of every dimension; more than pixels are allowed.
    """
    if not torch.compiler.is_exporting():
        return _POOLS[x.dim() - 2](x, size)
    # Exporters know this pooling for fixed sizes alone: averages of rows, then of columns, as matrix products.
    for dim, cells in enumerate(size, start=2):
        x = (x.movedim(dim, -1) @ _shares(x.shape[dim], cells, x)).movedim(-1, dim)
    return x


def _shares(pixels: int, cells: int, like: Tensor) -> Tensor:
    """Every pixel's share in the average of every cell, `(pixels, cells)`."""
    pixel = torch.arange(pixels, device=like.device)[:, None]
    cell = torch.arange(cells, device=like.device)
    first, after = cell * pixels // cells, ((cell + 1) * pixels + cells - 1) // cells
    return ((pixel >= first) & (pixel < after)).to(like.dtype) / (after - first)
