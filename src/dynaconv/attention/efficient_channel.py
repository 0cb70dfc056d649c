"""Efficient channel attention: a short convolution across the channels' averages."""

from __future__ import annotations

from math import log2

import torch
from torch import Tensor, nn

from dynaconv.attention.base import GateBlock, gate_of
from dynaconv.context import global_average
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError

__all__ = ["EfficientChannelAttention"]


class EfficientChannelAttention(GateBlock):
    """`y = σ(conv1d_k(g)) ⊙ x` with g the average of x over its map and the convolution running across channels.

    Args:
        channels: C.
        kernel_size: k, odd; by default the paper's rule, `|log2(C) / 2 + 1 / 2|` rounded down and then up to an odd
            number: 3 for 64 channels, 5 for 128 to 1024, 7 for 2048.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Wang et al., ECA-Net, 1910.03151, section 3.2. The code printed there leaves out its own sigmoid.

    Example:
        >>> EfficientChannelAttention(64).conv.kernel_size
        (3,)
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        if kernel_size is None:
            least = int(log2(channels) / 2 + 1 / 2)
            kernel_size = least + 1 - least % 2
        if check_count("kernel_size", kernel_size) % 2 == 0:
            raise ArgumentError("kernel_size", kernel_size, "an odd integer >= 1, or None")
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False, device=device, dtype=dtype)

    def gate(self, x: Tensor) -> Tensor:
        """One factor per channel, `(B, C, 1, 1)`, between 0 and 1."""
        scores = self.conv(global_average(x).unsqueeze(1)).squeeze(1)
        return gate_of(scores, x)[..., None, None]
