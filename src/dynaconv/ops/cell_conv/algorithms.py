"""The algorithms of `cell_conv`: those of `dense_conv`, with kernels assembled on the way."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from torch import Tensor

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.kernels import CellKernel
from dynaconv.native import cells as native
from dynaconv.native import dense as native_dense
from dynaconv.ops import dense_conv
from dynaconv.ops.cell_conv import fused
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


def _algorithm(name: str, dense: DenseAlgorithm, convolution: Algorithm) -> Algorithm:
    blocks = CellBlocks(dense)
    return Algorithm(
        name,
        blocks.forward,
        blocks.backward,
        lambda problem: _with_assembly(convolution.forward_cost(problem), problem, 1),
        # Assembling again, and the gradients of cells and mixture.
        lambda problem: _with_assembly(convolution.backward_cost(problem), problem, 3),
        convolution.why_not,
    )


def _fused_cost(convolutions: float, mixings: float) -> Callable[[Problem], Cost]:
    """Of a pass of the compiled kernels; cells are laid out anew for each."""

    def cost(problem: Problem) -> Cost:
        mixing = problem.experts * problem.kernel_numbers
        cells = problem.experts * prod(problem.cell)
        return Cost(convolutions * problem.macs + mixings * mixing, 2 * mixings * cells, calls=20, memory=cells)

    return cost


def _why_not(problem: Problem) -> list[str]:
    return [*native.why_not(problem.spec, problem.cell, problem.dtype, problem.device)]


def _reference(x: Tensor, kernel: CellKernel, spec: ConvSpec) -> Tensor:
    """Every kernel written out in float64, one plain convolution per sample."""
    written_out = CellKernel(kernel.cells.double(), kernel.mixture.double()).dense()
    y: Tensor = dense_conv.REGISTRY.algorithms["reference"].forward(x, written_out, spec)
    return y


REGISTRY = Registry(
    Algorithm(
        "native",
        fused.forward,
        fused.backward,
        _fused_cost(1.1, 0.7),
        _fused_cost(2.2, 2.5),
        _why_not,
        channels_last=True,
    ),
    _algorithm("native_dense", native_dense, dense_conv.REGISTRY.algorithms["native"]),
    *(
        _algorithm(name, dense, dense_conv.REGISTRY.algorithms[name])
        for name, dense in (("per_sample", per_sample), ("patches", patches), ("grouped", grouped))
    ),
    # Autograd differentiates it.
    Algorithm(
        "reference",
        _reference,
        None,
        lambda problem: _with_assembly(dense_conv.REGISTRY.algorithms["reference"].forward_cost(problem), problem, 1),
        lambda problem: _with_assembly(dense_conv.REGISTRY.algorithms["reference"].backward_cost(problem), problem, 2),
    ),
)
