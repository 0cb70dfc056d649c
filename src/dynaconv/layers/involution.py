"""Involution: a kernel for every position, shared by channels, made of the pixel that stands there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients import BranchNorm, TapGenerator
from dynaconv.context import centre_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.errors import ArgumentError
from dynaconv.kernels import TapwiseKernel
from dynaconv.layers.base import DynamicConv, Init, check_init
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["Involution2d"]


class Involution2d(DynamicConv):
    """`y_{c,p} = Σ_t h_{g(c),t,p} x_{c, tap t at p}` with `h_p = W2 ReLU(norm(W1 x̄_p)) + b`.

    Channel c belongs to group g(c). x̄_p is the pixel in the middle of the window; with a stride, the average from there
    up to the next window's middle. Neither pass copies the windows.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`. `out_channels` is `in_channels`; every channel is taken alone, whatever the groups.
        reduction: r; W1 has C / r rows, at least one.
        group_channels: so many channels share their kernel: 16, or the largest number below that divides C.
        norm: `"batch"` as published, `"layer"` or `None`.
        init: `"scaled"` starts at a static convolution's scale, `"published"` as the authors' networks, at twice the
            input's.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Li et al., Involution, CVPR 2021, 2103.06255; d-li14/involution. Differs: any padding, dilation and size.

    Example:
        >>> import torch
        >>> layer, x = Involution2d(32, 32, 7, stride=2, padding=3), torch.randn(2, 32, 9, 8)
        >>> layer(x).shape, layer.coefficients(x)["taps"].shape
        (torch.Size([2, 32, 5, 4]), torch.Size([2, 2, 49, 5, 4]))
    """

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
        *,
        reduction: int = 4,
        group_channels: int | None = None,
        norm: BranchNorm = "batch",
        init: Init = "scaled",
    ) -> None:
        ConvSpec.parse(in_channels, out_channels, kernel_size, dims=2, groups=groups)
        if out_channels != in_channels:
            raise ArgumentError(
                "out_channels", out_channels, f"in_channels={in_channels}: involution mixes no channels"
            )
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=2,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=in_channels,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        shared = _group_channels(in_channels, group_channels)
        hidden = hidden_channels(in_channels, reduction, 1)
        self.taps = TapGenerator(in_channels, hidden, in_channels // shared, spec.taps, norm, device, dtype)
        self._start(check_init(init))

    def _start(self, init: Init) -> None:
        for part in (self.taps.reduce, self.taps.span):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        if init == "scaled":
            # Half of a normalised hidden unit's square is left by the ReLU; a static convolution's start leaves a third
            # of its input's square.
            hidden = self.taps.span.in_channels
            nn.init.normal_(self.taps.span.weight, std=(2 / (3 * hidden * self.spec.taps)) ** 0.5)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"taps": (B, G, T, *S_out)}`."""
        return {"taps": self.taps(centre_average(x, self.spec))}

    def assemble(self, coefficients: dict[str, Tensor]) -> TapwiseKernel:
        """The taps are the kernel: they weigh a weight of ones."""
        taps = coefficients["taps"]
        return TapwiseKernel(taps.new_ones(()).expand(self.spec.weight_shape), taps, self.bias)


def _group_channels(channels: int, value: int | None) -> int:
    """How many channels share their kernel."""
    if value is None:
        return next(n for n in range(min(16, channels), 0, -1) if channels % n == 0)
    if channels % check_count("group_channels", value):
        raise ArgumentError("group_channels", value, f"a divisor of in_channels={channels}, or None")
    return value
