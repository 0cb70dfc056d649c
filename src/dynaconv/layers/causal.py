"""Causal convolution over sequences."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.errors import ArgumentError
from dynaconv.kernels import StaticKernel
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["CausalConv1d"]


class CausalConv1d(nn.Module):
    """A convolution over sequences whose output at a time knows nothing later: it is padded before the first time only.

    Args:
        in_channels, out_channels, kernel_size, stride, dilation, groups, bias, device, dtype: as in `nn.Conv1d`.
        padding: 0; the (k - 1) · dilation steps before the sequence, which keep its length, come by themselves.
        padding_mode: `"zeros"` or `"replicate"`, which repeats the first step; the others would look ahead.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: van den Oord et al., WaveNet, 1609.03499.

    Example:
        >>> layer, x = CausalConv1d(3, 8, 3, dilation=4), torch.randn(2, 3, 20)
        >>> later = x.clone()
        >>> later[..., 10:] = 0
        >>> layer(x).shape, torch.equal(layer(x)[..., :10], layer(later)[..., :10])
        (torch.Size([2, 8, 20]), True)
    """

    bias: nn.Parameter | None

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
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=1,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        if spec.pads != ((0, 0),):
            raise ArgumentError("padding", padding, "0, since a causal convolution is padded before the sequence only")
        if padding_mode not in ("zeros", "replicate"):
            raise ArgumentError("padding_mode", padding_mode, '"zeros" or "replicate", since the others look ahead')
        before = (spec.kernel_size[0] - 1) * spec.dilation[0]
        self.spec = replace(spec, pads=((before, 0),))
        self.weight = nn.Parameter(torch.empty(spec.weight_shape, device=device, dtype=dtype))
        # nn.Conv1d's own start.
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        if self.bias is not None:
            bound = 1 / sqrt(spec.weight_count / out_channels)
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, L)` → `(B, O, ⌈L / stride⌉)`.

        Raises:
            ShapeError: another rank or number of channels.
        """
        return ops.conv(x, StaticKernel(self.weight, self.bias), self.spec)

    def extra_repr(self) -> str:
        """The geometry."""
        s = self.spec
        return (
            f"{s.in_channels}, {s.out_channels}, kernel_size={s.kernel_size}, stride={s.stride}, "
            f"dilation={s.dilation}, groups={s.groups}, bias={self.bias is not None}"
        )
