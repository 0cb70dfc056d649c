"""Kernel-weighted convolution: every kernel slice is weighted by the global context."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients import SliceGate
from dynaconv.context import global_average, left_window_average
from dynaconv.counts import check_count
from dynaconv.kernels import DenseKernel
from dynaconv.layers.base import DynamicConv, Init, check_context_channels, check_init
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["KernelWeightedConv2d"]

# Where gates start: nearer to one they would hardly learn.
_OPEN = 0.9


class KernelWeightedConv2d(DynamicConv):
    """`W_{b,o,i} = σ(v_{oi} · FC(g_b)) · W_{o,i}` with g the average of the first channels of the input.

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
        embedding_dim: V, length of the slice vectors v.
        context_channels: U, so many of the first input channels make the context; 128, or all where there are fewer.
        init: `"scaled"` starts with gates of about 0.9, a little different from slice to slice, and a static
            convolution's kernels; `"published"` with gates of one half and half of them, under which the context's
            layer gets no gradient in the first step.
        as_published: average over the left H×H window of the map, as the authors do; differs on non-square maps only.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: mhorton19/CNN-Kernel-Attention, `kernel_weighted_cnn.py` (no paper). Differs: pools globally, a bias works.

    Example:
        >>> import torch
        >>> layer = KernelWeightedConv2d(16, 32, 3, padding=1)
        >>> layer(torch.randn(2, 16, 8, 8)).shape, layer.kernel(torch.randn(2, 16, 8, 8)).dense().shape
        (torch.Size([2, 32, 8, 8]), torch.Size([2, 32, 16, 3, 3]))
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
        context_channels: int | None = None,
        init: Init = "scaled",
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
        self.context_channels = check_context_channels(context_channels, 128, in_channels)
        self.average = left_window_average if as_published else global_average
        self.weight = nn.Parameter(torch.empty(spec.weight_shape, device=device, dtype=dtype))
        published = check_init(init) == "published"
        # nn.Conv2d's own start.
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        if not published:
            with torch.no_grad():
                self.weight.div_(_OPEN)
        slices = (spec.out_channels, spec.in_channels // spec.groups)
        vectors = check_count("embedding_dim", embedding_dim)
        gate = None if published else _OPEN
        self.gate = SliceGate(self.context_channels, slices, vectors, gate, device, dtype)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"slice_gate": (B, O, I/g)}`, between 0 and 1."""
        return {"slice_gate": self.gate(self.average(x, self.context_channels))}

    def assemble(self, coefficients: dict[str, Tensor]) -> DenseKernel:
        """Every slice of the weight times its gate."""
        return DenseKernel(coefficients["slice_gate"][..., None, None] * self.weight, self.bias)
