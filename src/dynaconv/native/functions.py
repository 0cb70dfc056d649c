"""The fused kernels on tensors: forward, input gradient, bank and coefficient gradients. Autograd is the caller's.

Shapes: x `(B, I, H, W)` or `(B, I, L)`, bank `(K, O, I/g, *k)`, coefficients `(B, K, T)` with T the kernel's taps:
mixture times tap scale. Everything is float32 on the CPU; images are read and made channels-last.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from dynaconv.native.library import Problem, library, status
from dynaconv.native.packing import packed, transposed
from dynaconv.spec import ConvSpec

__all__ = ["bank_gradient", "forward", "input_gradient", "why_not"]


def why_not(spec: ConvSpec, dtype: str = "float32", device: str = "cpu") -> tuple[str, ...]:
    """The reasons why the fused kernels cannot run on a problem; empty where they can.

    Args:
        spec: the geometry.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
    """
    facts = {
        f"native kernels are {status()}": status().state != "on",
        f"{spec.dims}d: only 1d and 2d": spec.dims > 2,
        f"padding_mode={spec.padding_mode!r}: only zeros": spec.padding_mode != "zeros",
        f"{dtype} on {device}: only float32 on the CPU": (dtype, device) != ("float32", "cpu"),
    }
    return tuple(reason for reason, holds in facts.items() if holds)


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
        x: `(B, I, H, W)` or `(B, I, L)`.
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
    image = _image(x)
    problem = _problem(image, bank, spec)
    y = _empty_image(image, problem.out_channels, problem.out_height, problem.out_width)
    if image.shape[0]:
        floats = packed(bank, problem)
        _call("forward", problem, image, floats, *map(_plain, (coefficients, in_scale, out_scale, bias)), y)
    return y if x.dim() == 4 else y.squeeze(2)


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
    image, image_gradient = _image(x), _image(y_gradient)
    problem = _problem(image, bank, spec)
    x_gradient = _empty_image(image, *image.shape[1:])
    scale_gradient = None if in_scale is None else image.new_empty(image.shape[:2])
    if image.shape[0]:
        given = tuple(map(_plain, (coefficients, in_scale, out_scale)))
        with transposed(bank, problem) as floats:
            _call("input_gradient", problem, image_gradient, floats, *given, image, x_gradient, scale_gradient)
    return x_gradient if x.dim() == 4 else x_gradient.squeeze(2), scale_gradient


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
        `None`.

    Raises:
        AlgorithmError: the kernels are off.
    """
    image, image_gradient = _image(x), _image(y_gradient)
    problem = _problem(image, bank, spec)
    if not image.shape[0]:
        empty = None if out_scale is None else torch.empty_like(out_scale)
        return torch.zeros_like(bank), torch.empty_like(coefficients), empty
    floats = packed(bank, problem)
    gradient = torch.empty(bank.shape)
    coefficient_gradient = torch.empty(coefficients.shape)
    scale_gradient = None if out_scale is None else torch.empty(out_scale.shape)
    given = tuple(map(_plain, (coefficients, in_scale, out_scale)))
    results = (gradient, coefficient_gradient, scale_gradient)
    _call("bank_gradient", problem, image, image_gradient, floats, *given, *results)
    return results


def _image(x: Tensor) -> Tensor:
    """`(B, C, H, W)`, channels-last, for a map of one or two dimensions."""
    four = x.detach() if x.dim() == 4 else x.detach().unsqueeze(2)
    return four.contiguous(memory_format=torch.channels_last)


def _empty_image(like: Tensor, *sizes: int) -> Tensor:
    """Uninitialised `(B, *sizes)`, channels-last."""
    return torch.empty(like.shape[0], *sizes, memory_format=torch.channels_last)


def _plain(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().contiguous()


def _problem(image: Tensor, bank: Tensor, spec: ConvSpec) -> Problem:
    """The sizes as the kernels take them; one dimension is a map of one row."""
    out = spec.output_size(image.shape[4 - spec.dims :])
    rows = (1,) * (2 - spec.dims)
    (top, _), (left, _) = ((0, 0),) * (2 - spec.dims) + spec.pads
    return Problem(
        *(image.shape[0], bank.shape[0], spec.groups, spec.in_channels, spec.out_channels),
        *(*image.shape[2:], *rows, *out, *rows, *spec.kernel_size, *rows, *spec.stride),
        *(top, left, *rows, *spec.dilation, torch.get_num_threads()),
    )


def _call(name: str, problem: Problem, *tensors: Tensor | None) -> None:
    """Call `dynaconv_NAME` with the tensors' addresses; they are contiguous and live until it returns."""
    addresses = (ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors)
    getattr(library(), f"dynaconv_{name}")(ctypes.byref(problem), *addresses)
