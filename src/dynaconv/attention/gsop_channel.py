"""Channel-wise global second-order pooling: channels weighted by how they vary together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.attention.base import GateBlock, gate_of
from dynaconv.attention.gsop_scores import CovarianceScores, pointwise
from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm
from dynaconv.counts import check_count
from dynaconv.ops import covariance_pool

__all__ = ["GSoPChannel"]


class GSoPChannel(GateBlock):
    """`y = σ(W · rows(Σ)) ⊙ x` with Σ the covariance over all positions of d channels made from ReLU(x).

    The d channels are `ReLU(BN(conv1×1(ReLU(x))))`; `rows` reads each row of Σ, after BN, with four filters of its own.

    Args:
        channels: C.
        reduced_channels: d.
        stride: of the 1×1 convolution; the authors have 2 in the first stage (C = 256), for speed, else 1.
        norm: of the d channels and of the covariance's rows, `"batch"` (the authors'), `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Gao, Xie, Wang, Li, Global Second-Order Pooling Convolutional Networks, 1811.12006, section 3.1; the
    authors' code, ZilinGao/Global-Second-order-Pooling-Convolutional-Networks, option `'1'`.

    Example:
        >>> block = GSoPChannel(64)
        >>> block.gate(torch.randn(2, 64, 9, 7)).shape
        torch.Size([2, 64, 1, 1])
    """

    def __init__(
        self,
        channels: int,
        *,
        reduced_channels: int = 128,
        stride: int = 1,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        size = check_count("reduced_channels", reduced_channels)
        self.reduce = nn.Sequential(
            pointwise(channels, size, check_count("stride", stride), device, dtype),
            map_norm(norm, size, device=device, dtype=dtype),
            nn.ReLU(),
        )
        self.scores = CovarianceScores(size, channels, nn.Identity(), norm=norm, device=device, dtype=dtype)

    def gate(self, x: Tensor) -> Tensor:
        """One factor per channel, `(B, C, 1, 1)`, between 0 and 1."""
        covariance = covariance_pool(self.reduce(x.relu()))
        return gate_of(self.scores(covariance), x)[..., None, None]
