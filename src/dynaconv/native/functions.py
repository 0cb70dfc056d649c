"""The fused kernels of `mixture_conv` on tensors: forward and all gradients. Autograd is the caller's.

Shapes: x `(B, I, *S)`, bank `(K, O, I/g, *k)`, coefficients `(B, K, T)` with T taps: mixture times tap scale.
Everything is on the CPU; maps are float32 or bfloat16 and are read and made channels-last, sums are float32's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.native.calls import call, channels_last, empty_map, plain, problem_of, reasons_against
from dynaconv.native.packing import packed, plain_bank
from dynaconv.spec import ConvSpec

__all__ = ["bank_gradient", "forward", "input_gradient", "why_not"]


def why_not(spec: ConvSpec, dtype: str = "float32", device: str = "cpu") -> tuple[str, ...]:
    """The reasons why the fused kernels cannot run on a problem; empty where they can.

    Args:
        spec: the geometry.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
    """
    return reasons_against(spec, dtype, device, "float32", "bfloat16")


def forward(
    x: Tensor,
    bank: Tensor,
    coefficients: Tensor,
    spec: ConvSpec,
    *,
    in_scale: Tensor | None = None,
    out_scale: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Convolve each sample with its own kernel: `Σ_k coefficients[b,k,t] · in_scale · out_scale · bank[k]`, plus bias.

    Args:
        x: `(B, I, *S)`.
        bank: `(K, O, I/g, *k)`.
        coefficients: `(B, K, T)`.
        spec: the geometry.
        in_scale: `(B, I)` or `None`.
        out_scale: `(B, O)` or `None`.
        bias: `(B, O)` or `None`; not scaled.

    Returns:
        `(B, O, *S_out)`, channels-last.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, experts=bank.shape[0])
    y = empty_map(x, spec.out_channels, spec.output_size(x.shape[2:]))
    if x.shape[0]:
        given = map(plain, (coefficients, in_scale, out_scale, bias))
        with packed(bank, problem, keep=True, or_plain=True) as floats:
            call("forward", problem, channels_last(x), floats, *given, y)
    return y


def input_gradient(
    y_gradient: Tensor,
    x: Tensor,
    bank: Tensor,
    coefficients: Tensor,
    spec: ConvSpec,
    *,
    in_scale: Tensor | None = None,
    out_scale: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """The gradients of x and, where there is one, of in_scale.

    Args:
        y_gradient: `(B, O, *S_out)`.
        x: as in `forward`.
        bank: as in `forward`.
        coefficients: as in `forward`.
        spec: the geometry.
        in_scale: as in `forward`.
        out_scale: as in `forward`.

    Returns:
        The gradient of x, channels-last, and that of in_scale, `(B, I)`, or `None`.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, experts=bank.shape[0])
    x_gradient = empty_map(x, spec.in_channels, x.shape[2:])
    scale_gradient = None if in_scale is None else torch.empty(in_scale.shape)
    if x.shape[0]:
        given = map(plain, (coefficients, in_scale, out_scale))
        upstream = channels_last(y_gradient.to(x.dtype))
        with packed(bank, problem, swap=True, or_plain=True) as floats:
            call("input_gradient", problem, upstream, floats, *given, channels_last(x), x_gradient, scale_gradient)
    return x_gradient, scale_gradient


def bank_gradient(
    y_gradient: Tensor,
    x: Tensor,
    bank: Tensor,
    coefficients: Tensor,
    spec: ConvSpec,
    *,
    in_scale: Tensor | None = None,
    out_scale: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The gradients of the bank, of the coefficients and, where there is one, of out_scale.

    Args:
        y_gradient: `(B, O, *S_out)`.
        x: as in `forward`.
        bank: as in `forward`.
        coefficients: as in `forward`.
        spec: the geometry.
        in_scale: as in `forward`.
        out_scale: as in `forward`.

    Returns:
        The gradients of the bank, shaped as the bank, of the coefficients, `(B, K, T)`, and of out_scale, `(B, O)` or
        `None`; all float32.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, experts=bank.shape[0])
    if not x.shape[0]:
        empty = None if out_scale is None else torch.empty_like(out_scale)
        return torch.zeros_like(bank), torch.empty_like(coefficients), empty
    gradient = torch.empty(bank.shape)
    coefficient_gradient = torch.empty(coefficients.shape)
    scale_gradient = None if out_scale is None else torch.empty(out_scale.shape)
    given = map(plain, (coefficients, in_scale, out_scale))
    maps = (channels_last(x), channels_last(y_gradient.to(x.dtype)))
    results = (gradient, coefficient_gradient, scale_gradient)
    call("bank_gradient", problem, *maps, plain_bank(bank), *given, *results)
    return results
