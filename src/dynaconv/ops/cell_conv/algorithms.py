"""The algorithms of `cell_conv`: those of `dense_conv`, with kernels assembled on the way."""

from __future__ import annotations

from torch import Tensor

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.kernels import CellKernel
from dynaconv.native import dense as native
from dynaconv.ops import dense_conv
from dynaconv.ops.cell_conv.cell_blocks import CellBlocks
from dynaconv.ops.dense_conv import grouped, patches, per_sample
from dynaconv.ops.dense_conv.algorithms import DenseAlgorithm
from dynaconv.spec import ConvSpec

__all__ = ["REGISTRY"]


def _with_assembly(convolution: Cost, problem: Problem, times: int) -> Cost:
    """A convolution's cost and that of so many products of mixtures and cells; each moves the kernels twice."""
    return Cost(
        convolution.macs + times * problem.experts * problem.kernel_numbers,
        convolution.traffic + times * 2 * problem.kernel_numbers,
        convolution.calls + times * 5,
        convolution.memory + problem.kernel_numbers,
    )


def _algorithm(name: str, dense: DenseAlgorithm) -> Algorithm:
    blocks, convolution = CellBlocks(dense), dense_conv.REGISTRY.algorithms[name]
    return Algorithm(
        name,
        blocks.forward,
        blocks.backward,
        lambda problem: _with_assembly(convolution.forward_cost(problem), problem, 1),
        # Assembling again, and the gradients of cells and mixture.
        lambda problem: _with_assembly(convolution.backward_cost(problem), problem, 3),
        convolution.why_not,
    )


def _reference(x: Tensor, kernel: CellKernel, spec: ConvSpec) -> Tensor:
    """Every kernel written out in float64, one plain convolution per sample."""
    written_out = CellKernel(kernel.cells.double(), kernel.mixture.double()).dense()
    y: Tensor = dense_conv.REGISTRY.algorithms["reference"].forward(x, written_out, spec)
    return y


REGISTRY = Registry(
    _algorithm("native", native),
    _algorithm("per_sample", per_sample),
    _algorithm("patches", patches),
    _algorithm("grouped", grouped),
    # Autograd differentiates it.
    Algorithm(
        "reference",
        _reference,
        None,
        lambda problem: _with_assembly(dense_conv.REGISTRY.algorithms["reference"].forward_cost(problem), problem, 1),
        lambda problem: _with_assembly(dense_conv.REGISTRY.algorithms["reference"].backward_cost(problem), problem, 2),
    ),
)
