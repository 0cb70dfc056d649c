"""`mixture_conv` as one static convolution over K·I channels: the mixture scales copies of the input.

K times the multiply-adds, but the convolution's weights are constants: the form for export.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from dynaconv.dispatch import Problem
from dynaconv.kernels import MixtureKernel
from dynaconv.ops.maps import on_map
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["forward", "why_not"]


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Lay K scaled copies of every group's channels side by side and convolve once."""
    if kernel.in_scale is not None:
        x = x * on_map(kernel.in_scale, x)
    experts, groups = kernel.bank.shape[0], spec.groups
    copies = x.unflatten(1, (groups, 1, -1)) * on_map(kernel.mixture, x).unsqueeze(1).unsqueeze(3)
    # The experts' input channels side by side, in the order of the copies.
    weight = kernel.bank.transpose(0, 1).flatten(1, 2)
    wide = replace(spec, in_channels=spec.in_channels * experts)
    y = static_conv(copies.flatten(1, 3), weight, None, wide)
    return y if kernel.out_scale is None else y * on_map(kernel.out_scale, y)


def why_not(problem: Problem) -> list[str]:
    """Reasons against it."""
    return ["tap scales differ between a sample's taps, which no scale of its input can express"] * (
        "tap_scale" in problem.scales
    )
