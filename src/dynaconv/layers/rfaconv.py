"""RFAConv, RFCBAMConv and RFCAConv: attention on receptive fields."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.coefficients import (
    BranchNorm,
    CBAMFieldAttention,
    CoordinateFieldAttention,
    SoftmaxFieldAttention,
)
from dynaconv.context import global_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.kernels import StaticKernel
from dynaconv.layers.base import Init
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d
from dynaconv.spec import Ints, Padding, PaddingMode

__all__ = ["RFAConv2d", "RFCAConv2d", "RFCBAMConv2d"]


class RFAConv2d(ReceptiveFieldConv2d):
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} softmax_t(v_{c,t} x̄_{c,p}) f_{c,t,p}`, x̄ the average under the kernel.

    The field f is `ReLU(norm(w_{c,t} * x_c))`: see `ReceptiveFieldConv2d`, also for what `kernel(x)` is.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        norm: of the field, `"batch"` as published, `"layer"` or `None`.
        init: `"scaled"` starts at a static convolution's scale; `"published"` as the authors' networks, which a batch
            normalisation follows.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Zhang et al., RFAConv, 2304.03198; Liuchen1997/RFAConv, the form of its ResNets. In `model.py` a first form
    normalises and rectifies the output too; a second weighs the pixels themselves, under an attention of them all.

    Example:
        >>> layer, x = RFAConv2d(16, 32, 3, padding=1), torch.randn(2, 16, 8, 6)
        >>> layer(x).shape, layer.coefficients(x)["taps"].shape
        (torch.Size([2, 32, 8, 6]), torch.Size([2, 16, 9, 8, 6]))
    """

    attention: SoftmaxFieldAttention

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
        norm: BranchNorm = "batch",
        init: Init = "scaled",
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*geometry, bias, padding_mode, device, dtype, norm=norm)
        self.attention = SoftmaxFieldAttention(in_channels, self.spec.kernel_size, device, dtype)
        self.start(init, amount=1 / self.spec.taps)
        if init == "published":
            nn.init.normal_(self.attention.weight, std=(2 / (in_channels * self.spec.taps)) ** 0.5)

    def factors(self, x: Tensor, pooled: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the softmax over the taps is taken of, from the averages under the kernel."""
        channels = self.spec.in_channels
        equal = x.new_full((channels, 1, *self.spec.kernel_size), 1 / self.spec.taps)
        alone = replace(self.spec, out_channels=channels, groups=channels)
        factors: tuple[Tensor, Tensor] = self.attention(ops.conv(x, StaticKernel(equal), alone))
        return factors


class RFCBAMConv2d(ReceptiveFieldConv2d):
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} s_c m_{t,p} f_{c,t,p}`: a gate for every channel, one for every tap and position.

    `s = σ(W2 ReLU(W1 g))` of the input's average g; `m = σ(conv3×3([max_c f; mean_c f]))` on the re-arranged field f,
    which is not gated for it. The field is `ReLU(norm(w_{c,t} * x_c))`: see `ReceptiveFieldConv2d`, also for what
    `kernel(x)` is.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        hidden_dim: rows of W1; the authors call it `ratio`, but it is the width itself.
        norm: of the field, `"batch"` as published, `"layer"` or `None`.
        init: `"scaled"` starts at a static convolution's scale; `"published"` as the authors' networks, which a batch
            normalisation follows.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Zhang et al., RFAConv, 2304.03198; Liuchen1997/RFAConv, the form of its ResNets; in `model.py` the output is
    normalised and rectified too.

    Example:
        >>> layer, x = RFCBAMConv2d(16, 32, 3, padding=1), torch.randn(2, 16, 8, 6)
        >>> layer(x).shape, layer.coefficients(x)["taps"].shape
        (torch.Size([2, 32, 8, 6]), torch.Size([2, 16, 9, 8, 6]))
    """

    attention: CBAMFieldAttention

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
        hidden_dim: int = 16,
        norm: BranchNorm = "batch",
        init: Init = "scaled",
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*geometry, bias, padding_mode, device, dtype, norm=norm)
        hidden = check_count("hidden_dim", hidden_dim)
        self.attention = CBAMFieldAttention(in_channels, self.spec.kernel_size, hidden, device, dtype)
        # Two sigmoids of about zero.
        self.start(init, amount=1 / 4)
        if init == "published":
            nn.init.kaiming_normal_(self.attention.conv.weight, mode="fan_out", nonlinearity="relu")

    def factors(self, x: Tensor, pooled: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gates, from the input's average and the field's extremes and means."""
        factors: tuple[Tensor, Tensor] = self.attention(global_average(x), pooled)
        return factors


class RFCAConv2d(ReceptiveFieldConv2d):
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} r_{c,row} q_{c,column} f_{c,t,p}`: gates for rows and columns of the field.

    They come from the field's means over rows and columns by coordinate attention (`CoordinateFieldAttention`). The
    field is `ReLU(norm(w_{c,t} * x_c))`: see `ReceptiveFieldConv2d`, also for what `kernel(x)` is.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        reduction: r; the attention is C / r wide, at least `min_hidden`.
        min_hidden: the least width.
        norm: of the field and inside the attention, `"batch"` as published, `"layer"` or `None`.
        init: `"scaled"` starts at a static convolution's scale; `"published"` as the authors' networks, which a batch
            normalisation follows.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Zhang et al., RFAConv, 2304.03198; Liuchen1997/RFAConv.

    Example:
        >>> layer, x = RFCAConv2d(16, 32, 3, padding=1), torch.randn(2, 16, 8, 6)
        >>> layer(x).shape, layer.coefficients(x)["taps"].shape
        (torch.Size([2, 32, 8, 6]), torch.Size([2, 16, 9, 8, 6]))
    """

    attention: CoordinateFieldAttention

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
        reduction: int = 32,
        min_hidden: int = 8,
        norm: BranchNorm = "batch",
        init: Init = "scaled",
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*geometry, bias, padding_mode, device, dtype, norm=norm)
        hidden = hidden_channels(in_channels, reduction, min_hidden)
        self.attention = CoordinateFieldAttention(in_channels, self.spec.kernel_size, hidden, norm, device, dtype)
        # Two sigmoids of about zero.
        self.start(init, amount=1 / 4)
        if init == "published":
            for part in (self.attention.reduce, self.attention.rows, self.attention.columns):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def factors(self, x: Tensor, pooled: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gates, from the means of the field's rows and columns."""
        factors: tuple[Tensor, Tensor] = self.attention(pooled, self.spec.output_size(x.shape[2:]))
        return factors
