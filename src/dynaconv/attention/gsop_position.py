"""Position-wise global second-order pooling: positions weighted by how they vary together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv.attention.base import AttentionBlock, gate_of
from dynaconv.attention.gsop_scores import CovarianceScores, pointwise
from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm
from dynaconv.context import cell_averages
from dynaconv.counts import check_count
from dynaconv.ops import covariance_pool
from dynaconv.ops.second_order.precision import full_precision, widened

__all__ = ["GSoPPosition"]


class GSoPPosition(AttentionBlock):
    """`y = ReLU(a ⊙ x)` with a map `a = σ(W · ReLU(rows(Σ)))` from Σ, the covariance of positions over d channels.

    The d channels are `BN(conv1×1(ReLU(x)))`, averaged over a grid of 8×8 cells whatever the map's size; Σ is 64×64,
    each of its rows is read with four filters of its own, and the 8×8 gates are resized to the map.

    Args:
        channels: C.
        reduced_channels: d.
        grid_size: cells per side.
        norm: of the d channels and of the covariance's rows, `"batch"` (the authors'), `"layer"` or `None`.
        as_published: take for Σ what the authors' code computes, `XᵀX / 64 − (Xᵀ1)(1ᵀX) / 64²` for d × 64 numbers X.
            It centres over the d channels with the number of positions; with d = 128, twice that, the mean is not
            removed but its sign turned. Their checkpoints need it.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Gao, Xie, Wang, Li, 1811.12006, section 3.2; the authors' code,
    ZilinGao/Global-Second-order-Pooling-Convolutional-Networks, option `'2'`.

    Example:
        >>> block = GSoPPosition(64)
        >>> block.gate(torch.randn(2, 64, 14, 5)).shape
        torch.Size([2, 1, 14, 5])
    """

    def __init__(
        self,
        channels: int,
        *,
        reduced_channels: int = 128,
        grid_size: int = 8,
        norm: BranchNorm = "batch",
        as_published: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        size = check_count("reduced_channels", reduced_channels)
        self.grid = (check_count("grid_size", grid_size), grid_size)
        self.covariance = _published_covariance if as_published else covariance_pool
        self.reduce = nn.Sequential(
            pointwise(channels, size, 1, device, dtype), map_norm(norm, size, device=device, dtype=dtype)
        )
        cells = grid_size**2
        self.scores = CovarianceScores(cells, cells, nn.ReLU(), norm=norm, device=device, dtype=dtype)

    def gate(self, x: Tensor) -> Tensor:
        """One factor per position, `(B, 1, H, W)`, between 0 and 1."""
        cells = cell_averages(self.reduce(x.relu()), self.grid).flatten(2)
        gates = gate_of(self.scores(self.covariance(cells.mT)), x)
        return cell_averages(gates.unflatten(1, (1, *self.grid)), x.shape[2:])

    def attend(self, x: Tensor) -> Tensor:
        """The map times its gates, negative values cut off."""
        # A ReLU that keeps its input: residual blocks add to what they are given in place, which may not be kept.
        return F.threshold(x * self.gate(x), 0, 0)


def _published_covariance(x: Tensor) -> Tensor:
    """`(B, M, d)` → `(B, M, M)`, centred by the number of positions M instead of the number of samples d."""
    x, count = widened(x), x.shape[1]
    sums = x.sum(2, keepdim=True)
    with full_precision(x):
        return x @ x.mT / count - sums @ sums.mT / count**2
