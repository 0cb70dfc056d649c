"""The fused kernels of `tapwise_conv` on tensors: forward and all gradients. Autograd is the caller's.

Shapes: x `(B, I, *S)`, weight `(O, I/g, *k)`, taps `(B, G, T, *S_out)`. Everything is float32 on the CPU; maps
are read and made channels-last.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.native.calls import call, channels_last, empty_map, plain, problem_of, reasons_against
from dynaconv.native.packing import packed
from dynaconv.spec import ConvSpec

__all__ = ["forward", "source_gradients", "weight_gradient", "why_not"]


def why_not(spec: ConvSpec, dtype: str = "float32", device: str = "cpu") -> tuple[str, ...]:
    """The reasons why the fused kernels cannot run on a problem; empty where they can.

    Args:
        spec: the geometry.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
    """
    return reasons_against(spec, dtype, device, "float32")


def forward(x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
    """Convolve, with every tap weighted at every output position.

    Args:
        x: `(B, I, *S)`, B at least 1.
        weight: `(O, I/g, *k)`.
        taps: `(B, G, T, *S_out)`.
        spec: the geometry.

    Returns:
        `(B, O, *S_out)`, channels-last.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, tap_groups=taps.shape[1])
    y = empty_map(x, spec.out_channels, spec.output_size(x.shape[2:]))
    with packed(weight, problem, keep=True) as floats:
        call("tapwise_forward", problem, channels_last(x), floats, plain(taps), y)
    return y


def source_gradients(
    y_gradient: Tensor, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec
) -> tuple[Tensor, Tensor]:
    """The gradients of x and of the taps.

    Args:
        y_gradient: `(B, O, *S_out)`.
        x: as in `forward`.
        weight: as in `forward`.
        taps: as in `forward`.
        spec: the geometry.

    Returns:
        The gradient of x, channels-last, and that of the taps.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, tap_groups=taps.shape[1])
    x_gradient, taps_gradient = empty_map(x, spec.in_channels, x.shape[2:]), torch.empty(taps.shape)
    maps = (channels_last(y_gradient), channels_last(x))
    with packed(weight, problem, swap=True) as floats:
        call("tapwise_source_gradient", problem, *maps, floats, plain(taps), x_gradient, taps_gradient)
    return x_gradient, taps_gradient


def weight_gradient(y_gradient: Tensor, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
    """The gradient of the weight, `(O, I/g, *k)`.

    Args:
        y_gradient: `(B, O, *S_out)`.
        x: as in `forward`.
        weight: as in `forward`.
        taps: as in `forward`.
        spec: the geometry.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, tap_groups=taps.shape[1])
    gradient = torch.empty(weight.shape)
    call("tapwise_weight_gradient", problem, channels_last(y_gradient), channels_last(x), plain(taps), gradient)
    return gradient
