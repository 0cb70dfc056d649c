"""Normalisation of maps in which every position is an example."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm, branch_norm

__all__ = ["PositionLayerNorm", "position_norm"]


class PositionLayerNorm(nn.LayerNorm):
    """Every position of `(B, C, *S)` normalised over its channels."""

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, *S)` → the same shape."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def position_norm(
    norm: BranchNorm,
    channels: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """The normalisation of `(B, C, *S)` over samples and positions, or of every position alone, by name.

    Args:
        norm: `"batch"` as published, `"layer"` where batches are small, or `None`.
        channels: C.
        device: where its parameters live.
        dtype: their type.

    Raises:
        ArgumentError: no such normalisation.
    """
    if norm == "layer":
        return PositionLayerNorm(channels, device=device, dtype=dtype)
    return branch_norm(norm, channels, device=device, dtype=dtype)
