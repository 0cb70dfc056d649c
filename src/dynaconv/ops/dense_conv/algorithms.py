"""The algorithms of `dense_conv`, with what each costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Protocol

from torch import Tensor

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.native import dense
from dynaconv.ops.dense_conv import grouped, patches, per_sample
from dynaconv.ops.dense_conv.reference import reference
from dynaconv.spec import ConvSpec

__all__ = ["CACHE_NUMBERS", "REGISTRY", "DenseAlgorithm"]

# 24 MiB of float32: within the last cache of most processors.
CACHE_NUMBERS = 6 * 2**20


class DenseAlgorithm(Protocol):
    """An algorithm of `dense_conv`: a module with these functions, see there."""

    def forward(self, x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
        """`(B, I, *S)` → `(B, O, *S_out)`."""

    def input_gradient(self, gradient: Tensor, weight: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
        """`(B, O, *S_out)` → `(B, I, *S)`."""

    def weight_gradient(self, gradient: Tensor, x: Tensor, spec: ConvSpec) -> Tensor:
        """`(B, O, *S_out)` → `(B, O, I/g, *k)`."""


def _grouped_cost(problem: Problem) -> Cost:
    # The library lays all kernels out anew; that is cheap only while they fit in the cache.
    passes = 1.2 if problem.kernel_numbers < CACHE_NUMBERS else 8
    return Cost(
        macs=1.3 * problem.macs, traffic=passes * problem.kernel_numbers, calls=6, memory=problem.kernel_numbers
    )


def _per_sample_cost(problem: Problem) -> Cost:
    return Cost(macs=1.2 * problem.macs, traffic=problem.kernel_numbers, calls=3 * problem.batch)


def _patches_cost(problem: Problem) -> Cost:
    columns = problem.batch * problem.positions * problem.spec.in_channels * problem.spec.taps
    # Windows overlap: copying them is slower than copying as many numbers in a row.
    laid_out = 4 * columns if prod(problem.spec.kernel_size) > 1 else 0
    return Cost(macs=1.3 * problem.macs, traffic=laid_out + problem.kernel_numbers, calls=20, memory=columns)


def _native_cost(problem: Problem) -> Cost:
    # The kernels are read as they lie, once. Groups of few channels leave most of a register idle.
    macs = 1.1 if problem.spec.groups == 1 else 12
    return Cost(macs=macs * problem.macs, traffic=0.5 * problem.kernel_numbers, calls=3)


def _native_backward_cost(problem: Problem) -> Cost:
    macs = 2.2 if problem.spec.groups == 1 else 12
    return Cost(macs=macs * problem.macs, traffic=1.2 * problem.kernel_numbers, calls=5)


def _native_why_not(problem: Problem) -> list[str]:
    return [*dense.why_not(problem.spec, problem.dtype, problem.device)]


def _reference_cost(problem: Problem) -> Cost:
    return Cost(macs=4 * problem.macs, calls=10 * problem.batch, memory=2 * problem.kernel_numbers)


def _backward(forward: Callable[[Problem], Cost]) -> Callable[[Problem], Cost]:
    """A backward pass: two convolutions."""

    def cost(problem: Problem) -> Cost:
        once = forward(problem)
        return Cost(2 * once.macs, 2 * once.traffic, 2 * once.calls, 2 * once.memory)

    return cost


def _gradients(algorithm: DenseAlgorithm) -> Callable[..., tuple[Tensor | None, Tensor | None]]:
    """Both gradients by an algorithm's two functions."""

    def backward(
        gradient: Tensor, x: Tensor, weight: Tensor, spec: ConvSpec, wanted: Sequence[bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        to_x = algorithm.input_gradient(gradient, weight, x.shape, spec) if wanted[0] else None
        return to_x, algorithm.weight_gradient(gradient, x, spec) if wanted[1] else None

    return backward


REGISTRY = Registry(
    Algorithm(
        "native",
        dense.forward,
        _gradients(dense),
        _native_cost,
        _native_backward_cost,
        _native_why_not,
        channels_last=True,
    ),
    Algorithm("per_sample", per_sample.forward, _gradients(per_sample), _per_sample_cost, _backward(_per_sample_cost)),
    Algorithm("patches", patches.forward, _gradients(patches), _patches_cost, _backward(_patches_cost)),
    Algorithm("grouped", grouped.forward, _gradients(grouped), _grouped_cost, _backward(_grouped_cost)),
    # Autograd differentiates it.
    Algorithm("reference", reference, None, _reference_cost, _backward(_reference_cost)),
)
