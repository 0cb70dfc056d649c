"""What attention blocks share: one check of the input, a sigmoid in full precision."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from dynaconv.counts import check_count
from dynaconv.ops.checks import check_map

__all__ = ["AttentionBlock", "GateBlock", "gate_of", "widened"]


class AttentionBlock(nn.Module, ABC):
    """A map in, a map of the same shape and type out, re-weighted by what the whole map says.

    Args:
        channels: C.

    Attributes:
        channels: C.

    Raises:
        ArgumentError: `channels` is not an integer >= 1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = check_count("channels", channels)

    @abstractmethod
    def attend(self, x: Tensor) -> Tensor:
        """`x: (B, C, H, W)` → the same shape."""

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, C, H, W)` → the same shape and type, also under autocast.

        Raises:
            ShapeError: not four dimensions, another number of channels, or a map without pixels.
        """
        check_map(x, self.channels)
        return self.attend(x).to(x.dtype)


class GateBlock(AttentionBlock):
    """An attention block that multiplies the map by gates."""

    @abstractmethod
    def gate(self, x: Tensor) -> Tensor:
        """The factors of `x: (B, C, H, W)`: `(B, C, 1, 1)`, `(B, 1, H, W)` or `(B, C, H, W)`."""

    def attend(self, x: Tensor) -> Tensor:
        """The map times its gates."""
        return x * self.gate(x)


def widened(x: Tensor) -> Tensor:
    """`x` in float32 if its type is shorter, else as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def gate_of(scores: Tensor, like: Tensor) -> Tensor:
    """The logistic sigmoid of `scores`, taken in float32 or longer and given in the type of `like`."""
    return widened(scores).sigmoid().to(like.dtype)
