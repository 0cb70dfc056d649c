"""A static convolution with few outputs as a module."""

from __future__ import annotations

from torch import Tensor, nn

from dynaconv.ops.score_conv import score_conv

__all__ = ["ScoreConv2d"]


class ScoreConv2d(nn.Conv2d):
    """`nn.Conv2d` of an odd size, with stride 1 and padding that keeps the map's size; made for few outputs."""

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, H, W)` → `(B, O, H, W)`."""
        return score_conv(x, self.weight, self.bias, self.groups)
