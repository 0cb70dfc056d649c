"""The compiled convolution with few outputs, on tensors: forward and both gradients. Autograd is the caller's.

Shapes: x `(B, I, H, W)`, weight `(O, I, k, k)` with k odd; the map keeps its size. Everything is float32 on the CPU.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from dynaconv.native.calls import call, images, layout_of, plain, reasons_against_image

__all__ = ["backward", "forward", "why_not"]


class _Problem(ctypes.Structure):
    """Field by field as in native/scores_pass.h."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("samples", "channels", "outputs", "height", "width", "kernel", "channels_last", "threads")
    )


def why_not(x: Tensor) -> tuple[str, ...]:
    """The reasons why the compiled kernels cannot convolve x; empty where they can."""
    return reasons_against_image(x)


def forward(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution, `(B, O, H, W)`.

    Raises:
        AlgorithmError: the kernels are off.
    """
    scores = torch.empty(x.shape[0], weight.shape[0], *x.shape[2:])
    call("scores_forward", _problem(x, weight), images(x, layout_of(x)), plain(weight), scores)
    return scores


def backward(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of x and of the weight, from `gradient: (B, O, H, W)`.

    Raises:
        AlgorithmError: the kernels are off.
    """
    layout = layout_of(x)
    to_x, to_weight = torch.empty(x.shape, memory_format=layout), torch.empty(weight.shape)
    given = (plain(gradient), images(x, layout), plain(weight))
    call("scores_backward", _problem(x, weight), *given, to_x, to_weight)
    return to_x, to_weight


def _problem(x: Tensor, weight: Tensor) -> _Problem:
    batch, channels, height, width = x.shape
    return _Problem(
        samples=batch,
        channels=channels,
        outputs=weight.shape[0],
        height=height,
        width=width,
        kernel=weight.shape[2],
        channels_last=layout_of(x) == torch.channels_last,
        threads=torch.get_num_threads(),
    )
