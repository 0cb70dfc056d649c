"""Dynamic convolution: softmax attention over the experts."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from dynaconv.coefficients import SoftmaxRouter
from dynaconv.context import global_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.layers.base import Init, check_init
from dynaconv.layers.experts import COMMON, MixedExperts, expert_bank, expert_bias
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["DyConv1d", "DyConv2d", "DyConv3d"]


class _DyConvNd(MixedExperts):
    """Dynamic convolution in any number of dimensions; documented at `DyConv2d`."""

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
        *,
        num_kernels: int = 4,
        reduction: int = 4,
        min_hidden: int = 1,
        temperature: float = 1.0,
        init: Init = "scaled",
        as_published: bool = False,
    ) -> None:
        spec = ConvSpec.parse(
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
        super().__init__(spec, bias=False, device=device, dtype=dtype)
        check_count("num_kernels", num_kernels)
        hidden = hidden_channels(in_channels, reduction, min_hidden)
        if as_published:
            hidden = num_kernels if in_channels == 3 else in_channels // reduction + 1
        # The 3-D form of the public code has no bias in the attention, the others do.
        head_bias = as_published and self.dims < 3
        self.router = SoftmaxRouter(in_channels, hidden, num_kernels, temperature, head_bias, device, dtype)
        common = COMMON if check_init(init) == "scaled" else 0.0
        start = nn.init.kaiming_uniform_
        self.bank = expert_bank(spec, num_kernels, start, common=common, device=device, dtype=dtype)
        self.bias = expert_bias(spec, num_kernels, device, dtype) if bias else None

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"mixture": (B, K)}`, rows that sum to one."""
        return {"mixture": self.router(global_average(x))}


class DyConv1d(_DyConvNd):
    """`DyConv2d` over sequences."""

    dims = 1


class DyConv2d(_DyConvNd):
    """`y = (Σ_k π_k W_k) * x + Σ_k π_k b_k` with `π = softmax(W₂ ReLU(W₁ g) / τ)`, g the average of the map.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`; every expert has a bias of its own.
        num_kernels: K, experts.
        reduction: r; the attention's hidden width is max(I // r, `min_hidden`).
        min_hidden: the least hidden width.
        temperature: τ > 0. It must be high at the start, or most experts stay untrained; the paper anneals it from
            30 to 1 over ten epochs.
        init: `"scaled"` starts experts that are nearly alike, so that the output has a static convolution's standard
            deviation; `"published"` draws each for itself, which puts the output at 1/√K of it.
        as_published: the attention as kaijieshi7/Dynamic-convolution-Pytorch has it, which its checkpoints need: one
            hidden number more (K of them for three input channels) and, in 1-D and 2-D, a bias before the softmax.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Chen et al., Dynamic Convolution: Attention over Convolution Kernels, CVPR 2020, 1912.03458. There is no
    official code; widths and biases of the attention follow from the published parameter counts.

    Example:
        >>> import torch
        >>> DyConv2d(16, 32, 3, padding=1).coefficients(torch.randn(2, 16, 8, 8))["mixture"].shape
        torch.Size([2, 4])
    """

    dims = 2


class DyConv3d(_DyConvNd):
    """`DyConv2d` over volumes."""

    dims = 3
