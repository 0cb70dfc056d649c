"""`tapwise_conv` as an operator: algorithm by problem, gradients of all tensors, and the differentiable formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.dispatch import Algorithm, Problem
from dynaconv.ops.patches import is_channels_last
from dynaconv.ops.tapwise_conv.algorithms import REGISTRY
from dynaconv.ops.tapwise_conv.tap_blocks import TapBlocks
from dynaconv.spec import ConvSpec

__all__ = ["NAME", "TENSORS", "backward", "formula", "forward", "problem_of", "weight_shape"]

NAME = "tapwise_conv"
TENSORS = ("x", "weight", "taps")


def problem_of(x: Tensor, spec: ConvSpec) -> Problem:
    """What the choice of an algorithm depends on."""
    dtype, size = str(x.dtype).removeprefix("torch."), tuple(x.shape[2:])
    return Problem(NAME, spec, x.shape[0], size, dtype=dtype, device=x.device.type, channels_last=is_channels_last(x))


def weight_shape(tensors: Sequence[Tensor | None]) -> Sequence[int]:
    """See `recompute.Operator`."""
    return _parts(tensors)[1].shape


def forward(tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str) -> Tensor:
    """See `recompute.Operator`."""
    x, weight, taps = _parts(tensors)
    if x.shape[0] == 0:
        return x.new_zeros(0, spec.out_channels, *spec.output_size(x.shape[2:]))

    def run(candidate: Algorithm) -> Tensor:
        y: Tensor = candidate.forward(x, weight, taps, spec)
        return y

    return run(REGISTRY.choose(algorithm, problem_of(x, spec), backward=False, run=run))


def backward(
    gradient: Tensor, tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """See `recompute.Operator`."""
    x, weight, taps = _parts(tensors)
    if x.shape[0] == 0:
        return [torch.zeros_like(x), torch.zeros_like(weight), torch.zeros_like(taps)]

    def run(candidate: Algorithm) -> list[Tensor | None]:
        assert candidate.backward is not None
        return [*candidate.backward(gradient, x, weight, taps, spec, wanted)]

    return run(REGISTRY.choose(algorithm, problem_of(x, spec), backward=True, run=run))


def formula(tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
    """See `recompute.Operator`."""
    return TapBlocks(None).forward(*_parts(tensors), spec)


def _parts(tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor, Tensor]:
    x, weight, taps = tensors
    assert x is not None
    assert weight is not None
    assert taps is not None
    return x, weight, taps
