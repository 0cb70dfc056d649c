"""Normalisation of the small maps inside attention branches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients import BranchBatchNorm, BranchNorm
from dynaconv.errors import ArgumentError

__all__ = ["MapLayerNorm", "map_norm"]


class MapLayerNorm(nn.Module):
    """Each sample normalised over its channels and positions together, then a scale and a shift per channel.

    It is `nn.GroupNorm` of one group that also trains on one sample of one value.

    Args:
        channels: C.
        device: where the parameters live.
        dtype: their type.
    """

    def __init__(
        self, channels: int, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` → the same shape."""
        return nn.functional.layer_norm(x, x.shape[1:]) * self.weight[:, None, None] + self.bias[:, None, None]


def map_norm(
    norm: BranchNorm,
    channels: int,
    *,
    momentum: float = 0.1,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """The normalisation of `(B, C, H, W)` inside an attention branch, by name.

    Args:
        norm: `"batch"` as most methods publish it, also trains on a single value per channel; `"layer"` where batches
            are small; or `None`.
        channels: C.
        momentum: share of a batch's statistics in the running ones; of `"batch"` alone.
        device: where its parameters live.
        dtype: their type.

    Raises:
        ArgumentError: no such normalisation.
    """
    if norm == "batch":
        return BranchBatchNorm(channels, momentum=momentum, device=device, dtype=dtype)
    if norm == "layer":
        return MapLayerNorm(channels, device=device, dtype=dtype)
    if norm is None:
        return nn.Identity()
    raise ArgumentError("norm", norm, '"batch", "layer" or None')
