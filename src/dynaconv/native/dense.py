"""The fused kernels of `dense_conv` on tensors: forward and both gradients. Autograd is the caller's.

Shapes: x `(B, I, *S)`, weight `(B, O, I/g, *k)`. Everything is float32 on the CPU; maps are read and made
channels-last, weights are read as they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.native.calls import call, channels_last, empty_map, plain, problem_of, reasons_against
from dynaconv.spec import ConvSpec

__all__ = ["forward", "input_gradient", "weight_gradient", "why_not"]


def why_not(spec: ConvSpec, dtype: str = "float32", device: str = "cpu") -> tuple[str, ...]:
    """The reasons why the fused kernels cannot run on a problem; empty where they can.

    Args:
        spec: the geometry.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
    """
    return reasons_against(spec, dtype, device, "float32")


def forward(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """Convolve `x: (B, I, *S)` with `weight: (B, O, I/g, *k)`, B at least 1.

    Returns:
        `(B, O, *S_out)`, channels-last.

    Raises:
        AlgorithmError: the kernels are off.
    """
    y = empty_map(x, spec.out_channels, spec.output_size(x.shape[2:]))
    call("dense_forward", problem_of(x, spec), channels_last(x), plain(weight), y)
    return y


def input_gradient(gradient: Tensor, weight: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """The gradient of x, channels-last.

    Args:
        gradient: `(B, O, *S_out)`.
        weight: as in `forward`.
        size: the shape of x.
        spec: the geometry.

    Raises:
        AlgorithmError: the kernels are off.
    """
    x_gradient = empty_map(gradient, spec.in_channels, size[2:])
    call("dense_input_gradient", problem_of(x_gradient, spec), channels_last(gradient), plain(weight), x_gradient)
    return x_gradient


def weight_gradient(gradient: Tensor, x: Tensor, spec: ConvSpec) -> Tensor:
    """The gradient of the weight, `(B, O, I/g, *k)`.

    Args:
        gradient: `(B, O, *S_out)`.
        x: as in `forward`.
        spec: the geometry.

    Raises:
        AlgorithmError: the kernels are off.
    """
    found = torch.empty(x.shape[0], *spec.weight_shape)
    call("dense_weight_gradient", problem_of(x, spec), channels_last(x), channels_last(gradient), found)
    return found
