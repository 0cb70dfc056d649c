"""Temporal convolutional networks: residual blocks of dilated causal convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError
from dynaconv.layers.causal import CausalConv1d

__all__ = ["TCN", "TCNBlock"]


class TCNBlock(nn.Module):
    """Twice a weight-normalised dilated causal convolution, ReLU and dropout of whole channels; then ReLU of the sum
    with the input, through a 1×1 convolution where the widths differ.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: k.
        dilation: d, of both convolutions.
        dropout: share of the channels that is dropped in training.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Bai, Kolter and Koltun, An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
    Modeling, 1803.01271, figure 1b.

    Example:
        >>> block = TCNBlock(3, 8, 5, dilation=2)
        >>> block(torch.randn(2, 3, 20)).shape, block.receptive_field
        (torch.Size([2, 8, 20]), 17)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        dropout: float = 0.2,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_count("kernel_size", kernel_size)
        if not 0 <= dropout < 1:
            raise ArgumentError("dropout", dropout, "a number from 0 up to, but not including, 1")
        self.receptive_field = 1 + 2 * (kernel_size - 1) * check_count("dilation", dilation)
        widths = ((in_channels, out_channels), (out_channels, out_channels))
        self.conv1, self.conv2 = (
            weight_norm(CausalConv1d(*width, kernel_size, dilation=dilation, device=device, dtype=dtype))
            for width in widths
        )
        self.dropout = nn.Dropout1d(dropout)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv1d(in_channels, out_channels, 1, device=device, dtype=dtype)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, L)` → `(B, O, L)`.

        Raises:
            ShapeError: another rank or number of channels.
        """
        y = self.dropout(self.conv1(x).relu())
        y = self.dropout(self.conv2(y).relu())
        out: Tensor = (y + self.shortcut(x)).relu()
        return out


class TCN(nn.Sequential):
    """Blocks whose dilation doubles: `(B, in_channels, L)` → `(B, channels[-1], L)`, each time seeing those before it.

    Args:
        in_channels: of the sequences.
        channels: output channels of each block; block i has dilation 2^i.
        kernel_size: k.
        dropout: share of the channels that is dropped in training.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: as `TCNBlock`.

    Example:
        >>> network = TCN(3, (25,) * 8, kernel_size=7)
        >>> network(torch.randn(2, 3, 40)).shape, network.receptive_field
        (torch.Size([2, 25, 40]), 3061)
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernel_size: int = 2,
        dropout: float = 0.2,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not channels:
            raise ArgumentError("channels", channels, "the output channels of at least one block")
        widths = zip((in_channels, *channels), channels, strict=False)
        super().__init__(
            *(TCNBlock(i, o, kernel_size, 2**number, dropout, device, dtype) for number, (i, o) in enumerate(widths))
        )

    @property
    def receptive_field(self) -> int:
        """How many steps of the input an output sees, its own included: 1 + 2 (k - 1) (2^blocks - 1)."""
        return 1 + sum(block.receptive_field - 1 for block in self if isinstance(block, TCNBlock))
