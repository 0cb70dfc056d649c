"""The fused kernels of `cell_conv` on tensors: forward and all gradients. Autograd is the caller's.

Shapes: x `(B, I, *S)`, cells `(N, o, i)` of a single tap, mixture `(B, T, Q, R, N)` with O = Q·o and I = R·i. All is
float32 on the CPU; maps are read and made channels-last.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dynaconv.native.calls import call, channels_last, empty_map, plain, problem_of, reasons_against
from dynaconv.native.library import Problem, library
from dynaconv.native.packing import shared_floats
from dynaconv.spec import ConvSpec

__all__ = ["forward", "gradients", "input_gradient", "why_not"]

_COLUMN_BLOCK = 64
_MOST_TAPS = 128


def why_not(spec: ConvSpec, cell: tuple[int, ...], dtype: str = "float32", device: str = "cpu") -> tuple[str, ...]:
    """The reasons why the fused kernels cannot run on a problem; empty where they can.

    Args:
        spec: the geometry.
        cell: `(o, i, *c)`, a cell's channels and taps.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
    """
    found = [*reasons_against(spec, dtype, device, "float32")]
    if spec.groups > 1:
        found.append(f"groups={spec.groups}: only 1")
    if set(cell[2:]) != {1} or spec.taps > _MOST_TAPS:
        found.append(f"cells of {cell[2:]} taps, {spec.taps} taps: only single ones, at most {_MOST_TAPS}")
    sides = zip((spec.out_channels, spec.in_channels), cell[:2], strict=True)
    if any(size != channels and size % _COLUMN_BLOCK for channels, size in sides):
        found.append(f"several cells of {cell[:2]} channels side by side: only multiples of {_COLUMN_BLOCK}")
    return tuple(found)


def forward(x: Tensor, cells: Tensor, mixture: Tensor, spec: ConvSpec) -> Tensor:
    """Convolve each sample with its own kernel, `(B, O, *S_out)`, channels-last; B at least 1.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, experts=len(cells))
    y = empty_map(x, spec.out_channels, spec.output_size(x.shape[2:]))
    with _packed(cells, problem, swap=False) as floats:
        call("cell_forward", problem, *_channels(cells), channels_last(x), floats, plain(mixture), y)
    return y


def input_gradient(gradient: Tensor, x: Tensor, cells: Tensor, mixture: Tensor, spec: ConvSpec) -> Tensor:
    """The gradient of x, channels-last, from `gradient: (B, O, *S_out)`.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, experts=len(cells))
    x_gradient = empty_map(x, spec.in_channels, x.shape[2:])
    with _packed(cells, problem, swap=True) as floats:
        given = (channels_last(gradient), floats, plain(mixture))
        call("cell_input_gradient", problem, *_channels(cells), *given, x_gradient)
    return x_gradient


def gradients(gradient: Tensor, x: Tensor, cells: Tensor, mixture: Tensor, spec: ConvSpec) -> tuple[Tensor, Tensor]:
    """The gradients of the cells and of the mixture, from `gradient: (B, O, *S_out)`.

    Raises:
        AlgorithmError: the kernels are off.
    """
    problem = problem_of(x, spec, experts=len(cells))
    to_cells, to_mixture = torch.empty(cells.shape), torch.empty(mixture.shape)
    maps = (channels_last(x), channels_last(gradient))
    with _packed(cells, problem, swap=False) as floats:
        given = (*maps, floats, plain(mixture))
        call("cell_gradient", problem, *_channels(cells), *given, to_cells, to_mixture)
    return to_cells, to_mixture


@contextmanager
def _packed(cells: Tensor, problem: Problem, *, swap: bool) -> Iterator[Tensor]:
    """The cells as the kernels read them; `swap` is for the input gradient."""
    size = library().dynaconv_packed_cell_floats(ctypes.byref(problem), *_channels(cells), int(swap))
    with shared_floats(size) as floats:
        call("pack_cells", problem, *_channels(cells), int(swap), plain(cells), floats)
        yield floats


def _channels(cells: Tensor) -> tuple[ctypes.c_int64, ctypes.c_int64]:
    """Of one cell: outputs and inputs."""
    return ctypes.c_int64(cells.shape[1]), ctypes.c_int64(cells.shape[2])
