"""Dot-product convolution: every kernel slice attends over a bank of small kernels."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from dynaconv.coefficients import Temperature
from dynaconv.context import global_average, left_window_average
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError
from dynaconv.kernels import AttendedSlices, DenseKernel
from dynaconv.layers.base import DynamicConv, check_context_channels
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["DotProductConv2d"]


class DotProductConv2d(DynamicConv):
    """`W_{b,o,i} = Σ_k softmax_k((u_o ⊙ v_i ⊙ FC(g_b)) · keys / (√V τ)) S_k` with a bank S of K small kernels.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: as in `nn.Conv2d`, like all arguments before the star.
        stride: see `nn.Conv2d`.
        padding: see `nn.Conv2d`.
        dilation: see `nn.Conv2d`.
        groups: see `nn.Conv2d`.
        bias: see `nn.Conv2d`.
        padding_mode: see `nn.Conv2d`.
        device: see `nn.Conv2d`.
        dtype: see `nn.Conv2d`.
        bank_size: K, kernels in the bank.
        embedding_dim: V, length of the input, output and key vectors.
        context_channels: so many of the first input channels make the context; all by default.
        dropout: share of the context that is dropped in training.
        temperature: τ > 0; above 1 the attention is flatter, below 1 sharper. A buffer, saved with the weights.
        as_published: average over the left H×H window of the map, as the authors do; differs on non-square maps only.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: mhorton19/CNN-Kernel-Attention, `dot_product_generated_kernel_cnn.py` (no paper). Differs: pools globally;
    the bank starts centred (see `AttendedSlices`); the temperature, 1 there.

    Example:
        >>> import torch
        >>> DotProductConv2d(16, 32, 3, padding=1, bank_size=8)(torch.randn(2, 16, 8, 8)).shape
        torch.Size([2, 32, 8, 8])
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
        bank_size: int = 100,
        embedding_dim: int = 20,
        context_channels: int | None = None,
        dropout: float = 0.1,
        temperature: float = 1.0,
        as_published: bool = False,
    ) -> None:
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=2,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        check_count("bank_size", bank_size)
        check_count("embedding_dim", embedding_dim)
        if not 0 <= dropout < 1:
            raise ArgumentError("dropout", dropout, "a number from 0 up to, but not including, 1")
        self.context_channels = check_context_channels(context_channels, in_channels, in_channels)
        self.average = left_window_average if as_published else global_average
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.context_channels, embedding_dim, device=device, dtype=dtype)
        # The context's factor starts around one: queries of full size, the same for all images but for what the
        # context adds.
        nn.init.ones_(self.fc.bias)
        # No schedule is published: an automatic one leaves the temperature as it is.
        self.temperature = Temperature(temperature, start=temperature, end=temperature, device=device)
        slices = (spec.out_channels, spec.in_channels // spec.groups)
        self.slices = AttendedSlices(slices, spec.kernel_size, bank_size, embedding_dim, device, dtype)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"query_scale": (B, V)}`: the context's factor of every query, the attention's 1/(√V τ) included."""
        context = self.fc(self.dropout(self.average(x, self.context_channels)))
        return {"query_scale": self.temperature(context / sqrt(context.shape[1])).to(context.dtype)}

    def assemble(self, coefficients: dict[str, Tensor]) -> DenseKernel:
        """The slices that the bank's kernels make under each slice's attention."""
        return DenseKernel(self.slices(coefficients["query_scale"]), self.bias)
