"""`mixture_conv` of one expert without tap scales: a static convolution between two channel scales."""

from __future__ import annotations

from torch import Tensor

from dynaconv.dispatch import Problem
from dynaconv.kernels import MixtureKernel
from dynaconv.ops.maps import on_map
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["forward", "why_not"]


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Scale the input, convolve with the one expert, scale the output by its share."""
    if kernel.in_scale is not None:
        x = x * on_map(kernel.in_scale, x)
    y = static_conv(x, kernel.bank[0], None, spec)
    # (B, 1) times (B, O): the expert's share rides on the output scale, one pass over the map for both.
    share = kernel.mixture if kernel.out_scale is None else kernel.mixture * kernel.out_scale
    return y * on_map(share, y)


def why_not(problem: Problem) -> list[str]:
    """Reasons against it."""
    reasons = [f"K={problem.experts}: several experts need mixing"] if problem.experts > 1 else []
    return reasons + ["tap scales change the kernel itself"] * ("tap_scale" in problem.scales)
