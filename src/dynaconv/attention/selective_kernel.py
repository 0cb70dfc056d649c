"""Selective kernel: branches of different reach, mixed per channel by what they find together."""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor, nn

from dynaconv.attention.base import AttentionBlock, widened
from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm, branch_norm
from dynaconv.context import global_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.errors import ArgumentError

__all__ = ["SelectiveKernel"]


class SelectiveKernel(AttentionBlock):
    """`y = Σ_m a_m ⊙ U_m` with `a = softmax_m(A_m ReLU(BN(W g)))` per channel and g the average of `Σ_m U_m`.

    Branch m is `U_m = ReLU(BN(conv3×3(x)))` of dilation m, so that it reaches as far as a kernel of size 2m + 1.

    Args:
        channels: C.
        num_branches: M.
        reduction: r; the hidden width is `C // r`, rounded down.
        min_hidden: least hidden width, the paper's L.
        groups: of the convolutions; by default 32 or, where that does not divide C, the largest divisor of both.
        norm: everywhere, `"batch"` (the paper's), `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Li, Wang, Hu, Yang, Selective Kernel Networks, 1903.06586, section 3.1.

    Example:
        >>> block, x = SelectiveKernel(64), torch.randn(2, 64, 7, 5)
        >>> block(x).shape, block.selection(block.maps(x)).shape
        (torch.Size([2, 64, 7, 5]), torch.Size([2, 2, 64]))
    """

    def __init__(
        self,
        channels: int,
        *,
        num_branches: int = 2,
        reduction: int = 16,
        min_hidden: int = 32,
        groups: int | None = None,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        groups = gcd(32, channels) if groups is None else check_count("groups", groups)
        if channels % groups:
            raise ArgumentError("groups", groups, f"a divisor of channels={channels}, or None")
        self.branches = nn.ModuleList()
        for reach in range(1, check_count("num_branches", num_branches) + 1):
            conv = nn.Conv2d(channels, channels, 3, 1, reach, reach, groups, bias=False, device=device, dtype=dtype)
            normed = map_norm(norm, channels, device=device, dtype=dtype)
            self.branches.append(nn.Sequential(conv, normed, nn.ReLU()))
        hidden = hidden_channels(channels, reduction, min_hidden)
        self.squeeze = nn.Linear(channels, hidden, bias=False, device=device, dtype=dtype)
        self.norm = branch_norm(norm, hidden, device=device, dtype=dtype)
        self.select = nn.Linear(hidden, num_branches * channels, bias=False, device=device, dtype=dtype)

    def maps(self, x: Tensor) -> Tensor:
        """What each branch makes of `x: (B, C, H, W)`: `(B, M, C, H, W)`."""
        return torch.stack([branch(x) for branch in self.branches], dim=1)

    def selection(self, maps: Tensor) -> Tensor:
        """Each branch's share in every channel, from `maps: (B, M, C, H, W)`: `(B, M, C)`, of sum 1 over M."""
        scores = self.select(self.norm(self.squeeze(global_average(maps.sum(1)))).relu())
        return widened(scores).reshape(maps.shape[:3]).softmax(1)

    def attend(self, x: Tensor) -> Tensor:
        """The branches' maps, each times its share, summed."""
        maps = self.maps(x)
        return torch.einsum("bmchw,bmc->bchw", maps, self.selection(maps).to(maps.dtype))
