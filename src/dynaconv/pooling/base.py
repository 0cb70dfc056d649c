"""What pooling heads share: one check of the input, sums in full precision."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from dynaconv.counts import check_count
from dynaconv.ops.checks import check_map

__all__ = ["Pooling"]


class Pooling(nn.Module, ABC):
    """A map in, one vector per sample out.

    Args:
        channels: C.
        out_features: D.

    Attributes:
        channels: C.
        out_features: D, which the classifier takes.

    Raises:
        ArgumentError: `channels` is not an integer >= 1.
    """

    def __init__(self, channels: int, out_features: int) -> None:
        super().__init__()
        self.channels = check_count("channels", channels)
        self.out_features = out_features

    @abstractmethod
    def pool(self, x: Tensor) -> Tensor:
        """`x: (B, C, H, W)`, at least one pixel → `(B, D)`, in float32 where `x` is shorter."""

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, C, H, W)` → `(B, D)`: in the type of `x`, under autocast in float32.

        Raises:
            ShapeError: not four dimensions, another number of channels, or a map without pixels.
        """
        check_map(x, self.channels)
        device = x.device.type
        under_autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        pooled = self.pool(x)
        return pooled if under_autocast else pooled.to(x.dtype)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.channels}, out_features={self.out_features}"
