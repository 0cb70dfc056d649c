"""Depthwise-separable convolution: space first, then channels."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dynaconv.ops.checks import check_input
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["DepthwiseSeparableConv1d", "DepthwiseSeparableConv2d", "DepthwiseSeparableConv3d"]

_CONVS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class _DepthwiseSeparableConvNd(nn.Module):
    """In any number of dimensions; documented at `DepthwiseSeparableConv2d`."""

    dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=self.dims,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        conv: Any = _CONVS[self.dims]
        geometry = (kernel_size, stride, padding, dilation, in_channels)
        self.depthwise = conv(in_channels, in_channels, *geometry, False, padding_mode, device, dtype)
        self.pointwise = conv(in_channels, out_channels, 1, groups=groups, bias=bias, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, *S)` → `(B, O, *S_out)`.

        Raises:
            ArgumentError: `x` does not fit; ShapeError for its rank and channels.
        """
        check_input(x, self.spec)
        y: Tensor = self.pointwise(self.depthwise(x))
        return y

    def dense(self) -> Tensor:
        """The one kernel that does the same, `(O, I/groups, *k)`: every slice is a number times its input's taps."""
        taps: Tensor = self.depthwise.weight.squeeze(1).unflatten(0, (self.spec.groups, 1, -1))
        shares: Tensor = self.pointwise.weight.unflatten(0, (self.spec.groups, -1))
        return (shares * taps).flatten(0, 1)


class DepthwiseSeparableConv1d(_DepthwiseSeparableConvNd):
    """`DepthwiseSeparableConv2d` over sequences."""

    dims = 1


class DepthwiseSeparableConv2d(_DepthwiseSeparableConvNd):
    """A k×k convolution of every channel on its own, then a 1×1 convolution over the channels.

    Costs 1/O + 1/k² of the full convolution. Nothing stands between the two; MobileNet puts a normalisation and a
    nonlinearity there.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, bias, padding_mode, device, dtype: as in
            `nn.Conv2d`.
        groups: of the 1×1 convolution, so that the layer connects the channels that a grouped `nn.Conv2d` connects.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Chollet, Xception, 1610.02357; Howard et al., MobileNets, 1704.04861.

    Example:
        >>> DepthwiseSeparableConv2d(16, 32, 3, padding=1)(torch.randn(2, 16, 8, 8)).shape
        torch.Size([2, 32, 8, 8])
    """

    dims = 2


class DepthwiseSeparableConv3d(_DepthwiseSeparableConvNd):
    """`DepthwiseSeparableConv2d` over volumes."""

    dims = 3
