"""`tapwise_conv` by the compiled kernels: weighted pixels are made in cache and multiplied in at once."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dynaconv.dispatch import Problem
from dynaconv.native import tapwise
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward", "why_not"]

forward = tapwise.forward


def backward(
    gradient: Tensor, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of x, weight and taps that are wanted."""
    to_x = to_weight = to_taps = None
    if wanted[0] or wanted[2]:
        to_x, to_taps = tapwise.source_gradients(gradient, x, weight, taps, spec)
    if wanted[1]:
        to_weight = tapwise.weight_gradient(gradient, x, weight, taps, spec)
    return to_x, to_weight, to_taps


def why_not(problem: Problem) -> list[str]:
    """Reasons against it."""
    return [*tapwise.why_not(problem.spec, problem.dtype, problem.device)]
