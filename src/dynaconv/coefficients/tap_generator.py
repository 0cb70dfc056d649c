"""The taps of every position from the pixel that stands there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm
from dynaconv.coefficients.position_norm import position_norm

__all__ = ["TapGenerator"]


class TapGenerator(nn.Module):
    """`h_p = W2 ReLU(norm(W1 c_p)) + b`, read as T taps of G groups; W1 has no bias.

    Args:
        channels: C of the context c.
        hidden: rows of W1.
        groups: G.
        taps: T.
        norm: `"batch"`, `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Source: Li et al., Involution, 2103.06255, equation 6; d-li14/involution.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        groups: int,
        taps: int,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.shape = (groups, taps)
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False, device=device, dtype=dtype)
        self.norm = position_norm(norm, hidden, device=device, dtype=dtype)
        self.span = nn.Conv2d(hidden, groups * taps, 1, device=device, dtype=dtype)

    def forward(self, context: Tensor) -> Tensor:
        """`(B, C, H, W)` → `(B, G, T, H, W)`."""
        taps: Tensor = self.span(self.norm(self.reduce(context)).relu()).unflatten(1, self.shape)
        return taps
