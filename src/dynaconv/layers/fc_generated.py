"""FC-generated convolution: a small gated network makes every kernel slice."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from dynaconv.context import global_average, left_window_average
from dynaconv.counts import check_count
from dynaconv.kernels import DenseKernel, GatedSlices
from dynaconv.layers.base import DynamicConv, check_context_channels
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["FCGeneratedConv2d"]


class FCGeneratedConv2d(DynamicConv):
    """`W_{b,o,i} = fc_out(fc1(e_oi) ⊙ σ(fc_gate([e_oi, g_b])))` with a learnt embedding e of every slice.

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
        embedding_dim: P, length of the slice embeddings.
        hidden_dim: L, width of the generating network.
        context_channels: U, so many of the first input channels make the context; 18, or all where there are fewer.
        as_published: average over the left H×H window of the map, as the authors do; differs on non-square maps only.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: mhorton19/CNN-Kernel-Attention, `fc_generated_kernel_cnn.py` (no paper). Differs: pools globally.

    Example:
        >>> import torch
        >>> FCGeneratedConv2d(16, 32, 3, padding=1, groups=4)(torch.randn(2, 16, 8, 8)).shape
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
        embedding_dim: int = 9,
        hidden_dim: int = 100,
        context_channels: int | None = None,
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
        check_count("embedding_dim", embedding_dim)
        check_count("hidden_dim", hidden_dim)
        self.context_channels = check_context_channels(context_channels, 18, in_channels)
        self.average = left_window_average if as_published else global_average
        self.context_gate = nn.Linear(self.context_channels, hidden_dim, device=device, dtype=dtype)
        slices = (spec.out_channels, spec.in_channels // spec.groups)
        self.slices = GatedSlices(slices, spec.kernel_size, embedding_dim, hidden_dim, device, dtype)
        # Both act as one linear map of [e, g], and start as one.
        bound = 1 / sqrt(embedding_dim + self.context_channels)
        for parameter in (*self.context_gate.parameters(), self.slices.fc_gate.weight):
            nn.init.uniform_(parameter, -bound, bound)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"gate_shift": (B, L)}`: what the context adds to the generating network's gate before the sigmoid."""
        return {"gate_shift": self.context_gate(self.average(x, self.context_channels))}

    def assemble(self, coefficients: dict[str, Tensor]) -> DenseKernel:
        """The slices that the gated network generates."""
        return DenseKernel(self.slices(coefficients["gate_shift"]), self.bias)
