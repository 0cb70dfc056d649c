"""Squeeze-and-excitation: every channel is weighted by what the channels' averages say together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.attention.base import GateBlock, gate_of
from dynaconv.context import global_average
from dynaconv.counts import hidden_channels

__all__ = ["SqueezeExcite"]


class SqueezeExcite(GateBlock):
    """`y = σ(W2 ReLU(W1 g)) ⊙ x` with g the average of x over its map.

    Args:
        channels: C.
        reduction: r; the hidden width is `C // r`, rounded down.
        min_hidden: least hidden width.
        bias: whether both linear maps have one. The authors' release does; tables that give SE-ResNet-50 28.07 M
            parameters count without.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Hu, Shen, Sun, Squeeze-and-Excitation Networks, 1709.01507, section 3.

    Example:
        >>> block = SqueezeExcite(64)
        >>> block(torch.randn(2, 64, 7, 5)).shape, block.gate(torch.randn(2, 64, 7, 5)).shape
        (torch.Size([2, 64, 7, 5]), torch.Size([2, 64, 1, 1]))
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        min_hidden: int = 1,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        hidden = hidden_channels(channels, reduction, min_hidden)
        self.fc1 = nn.Linear(channels, hidden, bias=bias, device=device, dtype=dtype)
        self.fc2 = nn.Linear(hidden, channels, bias=bias, device=device, dtype=dtype)

    def gate(self, x: Tensor) -> Tensor:
        """One factor per channel, `(B, C, 1, 1)`, between 0 and 1."""
        return gate_of(self.fc2(self.fc1(global_average(x)).relu()), x)[..., None, None]
