"""The compiled kernels that weight frequency bands, on tensors: forward and both gradients. Autograd is the caller's.

Shapes: x `(B, C, H, W)`, weights `(B, G, J + 1, H, W)` for J edges. Everything is float32 on the CPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.native.calls import call, images, layout_of, plain, reasons_against_image

__all__ = ["backward", "forward", "why_not"]

_MOST_EDGES = 8


class _Problem(ctypes.Structure):
    """Field by field as in native/bands_pass.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("samples", "channels", "groups", "height", "width", "edges")),
        ("edge", ctypes.c_int64 * _MOST_EDGES),
        *((name, ctypes.c_int64) for name in ("channels_last", "threads")),
    )


def why_not(x: Tensor, edges: Sequence[int]) -> tuple[str, ...]:
    """The reasons why the compiled kernels cannot weight the bands of x; empty where they can."""
    found = reasons_against_image(x)
    if 1 <= len(edges) <= _MOST_EDGES:
        return found
    return (*found, f"{len(edges)} edges: only 1 to {_MOST_EDGES}")


def forward(x: Tensor, weights: Tensor, edges: Sequence[int]) -> Tensor:
    """`Σ_j weights_j ⊙ (x_j − x_{j+1})` with x_0 = x, x_j the part of x below the j-th edge, and zero after the last.

    Raises:
        AlgorithmError: the kernels are off.
    """
    layout = layout_of(x)
    y = torch.empty(x.shape, memory_format=layout)
    call("bands_forward", _problem(x, weights, edges), images(x, layout), plain(weights), y)
    return y


def backward(gradient: Tensor, x: Tensor, weights: Tensor, edges: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The gradients of x and of the weights.

    Raises:
        AlgorithmError: the kernels are off.
    """
    layout = layout_of(x)
    to_x, to_weights = torch.empty(x.shape, memory_format=layout), torch.empty(weights.shape)
    given = (images(gradient, layout), images(x, layout), plain(weights))
    call("bands_backward", _problem(x, weights, edges), *given, to_x, to_weights)
    return to_x, to_weights


def _problem(x: Tensor, weights: Tensor, edges: Sequence[int]) -> _Problem:
    batch, channels, height, width = x.shape
    return _Problem(
        samples=batch,
        channels=channels,
        groups=weights.shape[1],
        height=height,
        width=width,
        edges=len(edges),
        edge=(ctypes.c_int64 * _MOST_EDGES)(*edges),
        channels_last=layout_of(x) == torch.channels_last,
        threads=torch.get_num_threads(),
    )
