"""`mixture_conv` for export: one expert is a static convolution between scales, several are mixed into kernels."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.dense_conv import exported
from dynaconv.ops.mixture_conv import static
from dynaconv.spec import ConvSpec

__all__ = ["forward"]


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Convolve `x: (B, I, *S)` with every sample's mixture."""
    if kernel.bank.shape[0] == 1 and kernel.tap_scale is None and not kernel.per_expert():
        return static.forward(x, kernel, spec)
    return exported.forward(x, kernel.dense(), spec)
