"""`cell_conv` as an operator: algorithm by problem, gradients of every tensor, and the differentiable formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.dispatch import Algorithm, Problem
from dynaconv.kernels import CellKernel
from dynaconv.ops.cell_conv.algorithms import REGISTRY
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.patches import is_channels_last
from dynaconv.spec import ConvSpec

__all__ = ["NAME", "TENSORS", "backward", "formula", "forward", "problem_of", "weight_shape"]

NAME = "cell_conv"
TENSORS = ("x", "cells", "mixture")


def problem_of(x: Tensor, kernel: CellKernel, spec: ConvSpec) -> Problem:
    """What the choice of an algorithm depends on."""
    return Problem(
        NAME,
        spec,
        batch=x.shape[0],
        size=tuple(x.shape[2:]),
        experts=kernel.cells.shape[0],
        cell=tuple(kernel.cells.shape[1:]),
        dtype=str(x.dtype).removeprefix("torch."),
        device=x.device.type,
        channels_last=is_channels_last(x),
    )


def weight_shape(tensors: Sequence[Tensor | None]) -> Sequence[int]:
    """See `recompute.Operator`."""
    return _parts(tensors)[1].weight_shape


def forward(tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str) -> Tensor:
    """See `recompute.Operator`."""
    x, kernel = _parts(tensors)
    if x.shape[0] == 0:
        return x.new_zeros(0, spec.out_channels, *spec.output_size(x.shape[2:]))

    def run(candidate: Algorithm) -> Tensor:
        y: Tensor = candidate.forward(x, kernel, spec)
        return y

    return run(REGISTRY.choose(algorithm, problem_of(x, kernel, spec), backward=False, run=run))


def backward(
    gradient: Tensor, tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """See `recompute.Operator`."""
    x, kernel = _parts(tensors)
    if x.shape[0] == 0:
        return [torch.zeros_like(x), torch.zeros_like(kernel.cells), torch.zeros_like(kernel.mixture)]

    def run(candidate: Algorithm) -> list[Tensor | None]:
        assert candidate.backward is not None
        return [*candidate.backward(gradient, x, kernel, spec, wanted)]

    return run(REGISTRY.choose(algorithm, problem_of(x, kernel, spec), backward=True, run=run))


def formula(tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
    """See `recompute.Operator`."""
    x, kernel = _parts(tensors)
    return grouped.forward(x, kernel.dense(), spec)


def _parts(tensors: Sequence[Tensor | None]) -> tuple[Tensor, CellKernel]:
    x, cells, mixture = tensors
    assert x is not None
    assert cells is not None
    assert mixture is not None
    return x, CellKernel(cells, mixture)
