"""`fourier_conv` as an operator: algorithm by problem, gradients of every tensor, and the differentiable formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.dispatch import Algorithm, Problem
from dynaconv.kernels import FourierKernel
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.fourier_conv.algorithms import REGISTRY
from dynaconv.ops.patches import is_channels_last
from dynaconv.spec import ConvSpec

__all__ = ["NAME", "TENSORS", "backward", "formula", "forward", "problem_of", "weight_shape"]

NAME = "fourier_conv"
TENSORS = ("x", "spectrum", "runs", "order", "gates", "left", "right", "vectors", "context", "size")


def problem_of(x: Tensor, kernel: FourierKernel, spec: ConvSpec) -> Problem:
    """What the choice of an algorithm depends on."""
    return Problem(
        NAME,
        spec,
        batch=x.shape[0],
        size=tuple(x.shape[2:]),
        experts=kernel.gates.shape[1],
        dtype=str(x.dtype).removeprefix("torch."),
        device=x.device.type,
        channels_last=is_channels_last(x),
    )


def weight_shape(tensors: Sequence[Tensor | None]) -> Sequence[int]:
    """See `recompute.Operator`."""
    size = tensors[-1]
    assert size is not None
    return size.shape


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
        return [None if t is None or not w else torch.zeros_like(t) for t, w in zip(tensors, wanted, strict=True)]

    def run(candidate: Algorithm) -> list[Tensor | None]:
        assert candidate.backward is not None
        return [*candidate.backward(gradient, x, kernel, spec, wanted)]

    return run(REGISTRY.choose(algorithm, problem_of(x, kernel, spec), backward=True, run=run))


def formula(tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
    """See `recompute.Operator`."""
    x, kernel = _parts(tensors)
    return grouped.forward(x, kernel.dense().to(x.dtype), spec)


def _parts(tensors: Sequence[Tensor | None]) -> tuple[Tensor, FourierKernel]:
    x, spectrum, runs, order, gates, left, right, vectors, context, size = tensors
    assert x is not None
    assert spectrum is not None
    assert runs is not None
    assert order is not None
    assert gates is not None
    assert size is not None
    return x, FourierKernel(spectrum, runs, order, gates, tuple(size.shape), left, right, vectors, context)
