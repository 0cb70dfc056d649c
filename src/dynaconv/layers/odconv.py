"""ODConv: attention over every dimension of the kernel."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from dynaconv.coefficients import BranchNorm, OmniAttention
from dynaconv.context import global_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.kernels import MixtureKernel
from dynaconv.layers.base import DynamicConv, Init, check_init
from dynaconv.layers.experts import COMMON, expert_bank
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["ODConv1d", "ODConv2d", "ODConv3d"]

_START = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")
# Gates of one half, one on the other, would leave an eighth; much nearer to one they would hardly learn.
_OPEN = 0.9


class _ODConvNd(DynamicConv):
    """ODConv in any number of dimensions; documented at `ODConv2d`."""

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
        reduction: int = 16,
        min_hidden: int = 16,
        temperature: float = 1.0,
        norm: BranchNorm = "batch",
        per_kernel: bool = False,
        init: Init = "scaled",
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
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        check_count("num_kernels", num_kernels)
        hidden = hidden_channels(in_channels, reduction, min_hidden)
        scaled = check_init(init) == "scaled"
        gate = _OPEN if scaled else 0.5
        self.attention = OmniAttention(spec, hidden, num_kernels, temperature, norm, per_kernel, gate, device, dtype)
        gates = len(self.attention.shapes) - ("mixture" in self.attention.shapes)
        common, scale = (COMMON, gate**-gates) if scaled else (0.0, 1.0)
        self.bank = expert_bank(spec, num_kernels, _START, common=common, scale=scale, device=device, dtype=dtype)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`mixture (B, K)`, `in_scale (B, I)`; where the layer has them `out_scale (B, O)` and `tap_scale (B, *k)`.

        With `per_kernel`, scales have K after B.
        """
        return self.attention(global_average(x))  # type: ignore[no-any-return]  # a module's call is untyped

    def assemble(self, coefficients: dict[str, Tensor]) -> MixtureKernel:
        """The bank with its coefficients."""
        experts = self.bank.shape[0]
        bias = None if self.bias is None else self.bias.expand(experts, -1)
        return MixtureKernel(self.bank, **coefficients, bias_bank=bias)


class ODConv1d(_ODConvNd):
    """`ODConv2d` over sequences."""

    dims = 1


class ODConv2d(_ODConvNd):
    """`y = (Σ_k π_k α_f ⊙ α_c ⊙ α_s ⊙ W_k) * x`: the experts mixed, and outputs, inputs and taps weighted.

    The four attentions come from the average of the map (`OmniAttention`). Attention of an output channel that has
    one input channel alone (depthwise), of a single tap or of a single expert is left out, as published. With one
    expert and one tap the cost is a static convolution's.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`; the authors have no bias.
        num_kernels: K, experts; the published names 1×, 2×, 4× are K.
        reduction: r; the attention's hidden width is max(I // r, `min_hidden`).
        min_hidden: the least hidden width.
        temperature: τ > 0, under the softmax and under the sigmoids. The authors anneal it from 30 to 1.
        norm: of the hidden layer, see `branch_norm`; the authors' is `"batch"`.
        per_kernel: scales of every expert's own, as the paper writes them; the authors' code shares them.
        init: `"scaled"` starts with gates of about 0.9 (at τ = 1) and experts that are nearly alike, so that the output
            has a static convolution's standard deviation; `"published"` with gates of one half and experts drawn each
            for itself, which puts the output below a tenth of it for K = 4.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Li, Zhou, Yao, Omni-Dimensional Dynamic Convolution, ICLR 2022, 2209.07947, and OSVAI/ODConv. Differs: a
    bias works, and training on one sample.

    Example:
        >>> import torch
        >>> layer = ODConv2d(16, 32, 3, padding=1)
        >>> layer(torch.randn(2, 16, 8, 8)).shape, layer.kernel(torch.randn(2, 16, 8, 8)).dense().shape
        (torch.Size([2, 32, 8, 8]), torch.Size([2, 32, 16, 3, 3]))
    """

    dims = 2


class ODConv3d(_ODConvNd):
    """`ODConv2d` over volumes."""

    dims = 3
