"""The algorithms of `fourier_conv`: those of `dense_conv`, with kernels made on the way."""

from __future__ import annotations

from math import log2
from types import ModuleType

from torch import Tensor

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.kernels import FourierKernel
from dynaconv.ops import dense_conv
from dynaconv.ops.dense_conv import grouped, patches, per_sample
from dynaconv.ops.fourier_conv import compiled
from dynaconv.ops.fourier_conv.sample_blocks import SampleBlocks
from dynaconv.spec import ConvSpec

__all__ = ["REGISTRY"]


def _with_making(convolution: Cost, problem: Problem, times: int) -> Cost:
    """A convolution's cost and that of making so many times all kernels, or taking a gradient back to their parts."""
    numbers = problem.kernel_numbers
    return Cost(
        convolution.macs + times * 1.25 * numbers * log2(problem.spec.weight_count),
        convolution.traffic + times * 5 * numbers,
        convolution.calls + times * 10 * problem.batch,
        convolution.memory + 4 * problem.spec.weight_count,
    )


def _algorithm(name: str, passes: ModuleType | SampleBlocks) -> Algorithm:
    convolution = dense_conv.REGISTRY.algorithms[name]
    return Algorithm(
        name,
        passes.forward,
        passes.backward,
        lambda problem: _with_making(convolution.forward_cost(problem), problem, 1),
        lambda problem: _with_making(convolution.backward_cost(problem), problem, 3),
        convolution.why_not,
    )


def _reference(x: Tensor, kernel: FourierKernel, spec: ConvSpec) -> Tensor:
    """Every kernel written out, one plain convolution per sample in float64."""
    y: Tensor = dense_conv.REGISTRY.algorithms["reference"].forward(x, kernel.dense().to(x.dtype), spec)
    return y


REGISTRY = Registry(
    _algorithm("native", compiled),
    _algorithm("per_sample", SampleBlocks(per_sample)),
    _algorithm("patches", SampleBlocks(patches)),
    _algorithm("grouped", SampleBlocks(grouped)),
    # Autograd differentiates it.
    Algorithm(
        "reference",
        _reference,
        None,
        lambda problem: _with_making(dense_conv.REGISTRY.algorithms["reference"].forward_cost(problem), problem, 1),
        lambda problem: _with_making(dense_conv.REGISTRY.algorithms["reference"].backward_cost(problem), problem, 2),
    ),
)
