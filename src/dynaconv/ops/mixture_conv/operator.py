"""`mixture_conv` as an operator: algorithm by problem, gradients of every tensor, and the differentiable formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.dispatch import Algorithm, Problem
from dynaconv.kernels import MixtureKernel
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.mixture_conv.algorithms import REGISTRY
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.patches import is_channels_last
from dynaconv.spec import ConvSpec

__all__ = ["NAME", "TENSORS", "backward", "formula", "forward", "problem_of", "weight_shape"]

NAME = "mixture_conv"
TENSORS = ("x", "bank", "mixture", "tap_scale", "in_scale", "out_scale")


def problem_of(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Problem:
    """What the choice of an algorithm depends on."""
    return Problem(
        NAME,
        spec,
        batch=x.shape[0],
        size=tuple(x.shape[2:]),
        experts=kernel.bank.shape[0],
        scales=tuple(name for name in TENSORS[3:] if getattr(kernel, name) is not None),
        dtype=str(x.dtype).removeprefix("torch."),
        device=x.device.type,
        channels_last=is_channels_last(x),
    )


def weight_shape(tensors: Sequence[Tensor | None]) -> Sequence[int]:
    """See `recompute.Operator`."""
    return _parts(tensors)[1].bank.shape[1:]


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
        return [None if tensor is None else torch.zeros_like(tensor) for tensor in tensors]
    to_x, to_bank, to_mixture, to_taps, to_in, to_out = wanted
    asked = Wanted(input=to_x or to_in, kernel=to_bank or to_mixture or to_taps or to_out)

    def run(candidate: Algorithm) -> MixtureGradients:
        assert candidate.backward is not None
        found: MixtureGradients = candidate.backward(gradient, x, kernel, spec, asked)
        return found

    found = run(REGISTRY.choose(algorithm, problem_of(x, kernel, spec), backward=True, run=run))
    return [
        g.to(tensor.dtype) if w and tensor is not None and (g := getattr(found, name)) is not None else None
        for name, tensor, w in zip(TENSORS, tensors, wanted, strict=True)
    ]


def formula(tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
    """See `recompute.Operator`."""
    x, kernel = _parts(tensors)
    return grouped.forward(x, kernel.dense(), spec)


def _parts(tensors: Sequence[Tensor | None]) -> tuple[Tensor, MixtureKernel]:
    x, bank, mixture, *scales = tensors
    assert x is not None
    assert bank is not None
    assert mixture is not None
    return x, MixtureKernel(bank, mixture, *scales)
