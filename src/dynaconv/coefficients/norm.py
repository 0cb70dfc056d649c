"""Normalisation in attention branches, where a training batch may hold one value per channel."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError

__all__ = ["BranchBatchNorm", "BranchNorm", "branch_norm"]

BranchNorm = Literal["batch", "layer"] | None


class BranchBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of `(B, C, *S)` that can train on a single value per channel.

    One value has no variance: `nn.BatchNorm1d` raises an error there. This one then normalises with the running
    statistics and leaves them as they are; with more values it is `nn.BatchNorm1d`, parameters and buffers included.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, *S)` → the same shape."""
        if self.training and x.shape[0] * x.shape[2:].numel() <= 1:
            mean, variance = self.running_mean, self.running_var
            y: Tensor = nn.functional.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)
            return y
        return super().forward(x)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ArgumentError("x", tuple(input.shape), "a tensor of shape (B, C, *S)")


def branch_norm(
    norm: BranchNorm,
    channels: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """The normalisation of `(B, C)` inside an attention branch, by name.

    Args:
        norm: `"batch"` as most methods publish it, `"layer"` where batches are small, or `None`.
        channels: C.
        device: where its parameters live.
        dtype: their type.

    Raises:
        ArgumentError: no such normalisation.
    """
    if norm == "batch":
        return BranchBatchNorm(channels, device=device, dtype=dtype)
    if norm == "layer":
        return nn.LayerNorm(channels, device=device, dtype=dtype)
    if norm is None:
        return nn.Identity()
    raise ArgumentError("norm", norm, '"batch", "layer" or None')
