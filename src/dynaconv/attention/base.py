"""What attention blocks share: one check of the input, a hidden width, a sigmoid in full precision."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError, ShapeError

__all__ = ["AttentionBlock", "GateBlock", "check_count", "gate_of", "hidden_channels", "widened"]


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
        if x.dim() != 4 or x.shape[1] != self.channels or not (x.shape[2] and x.shape[3]):
            raise ShapeError("x", x.shape, f"(B, {self.channels}, H, W) with H and W at least 1")
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


def check_count(argument: str, value: int) -> int:
    """`value` if it is an integer >= 1.

    Raises:
        ArgumentError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError(argument, value, "an integer >= 1")
    return value


def hidden_channels(channels: int, reduction: int, min_hidden: int) -> int:
    """Width of a bottleneck: `channels // reduction`, rounded down, but at least `min_hidden`.

    Raises:
        ArgumentError: an argument is not an integer >= 1.
    """
    least = check_count("min_hidden", min_hidden)
    return max(check_count("channels", channels) // check_count("reduction", reduction), least)
