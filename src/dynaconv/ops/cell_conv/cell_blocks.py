"""A few samples at a time: assemble their kernels, convolve with an algorithm of `dense_conv`, drop them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dynaconv.kernels import CellKernel
from dynaconv.ops.dense_conv.algorithms import DenseAlgorithm
from dynaconv.ops.patches import new_output
from dynaconv.spec import ConvSpec

__all__ = ["CellBlocks"]

# 32 MiB of float32: a few samples' kernels at once even in wide layers, so that all cells are not read for each sample.
BLOCK_NUMBERS = 2**23


class CellBlocks:
    """The forward and the backward pass over blocks of samples.

    Args:
        dense: convolves a block.
    """

    def __init__(self, dense: DenseAlgorithm) -> None:
        self._dense = dense

    def forward(self, x: Tensor, kernel: CellKernel, spec: ConvSpec) -> Tensor:
        """`x: (B, I, *S)`, padded already where the padding is not zeros → `(B, O, *S_out)`, without the bias."""
        y, _ = new_output(x, spec)
        for samples, _, weight in _assembled(kernel, spec):
            y[samples] = self._dense.forward(x[samples], weight, spec)
        return y

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: CellKernel, spec: ConvSpec, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of input, cells and mixture as far as they are wanted; kernels are assembled again."""
        cells = kernel.cells.flatten(1)
        to_x = torch.empty_like(x) if wanted[0] else None
        to_cells = torch.zeros_like(cells, dtype=torch.promote_types(cells.dtype, torch.float32))
        to_mixture = torch.empty_like(kernel.mixture)
        for samples, part, weight in _assembled(kernel, spec):
            upstream, maps = gradient[samples], x[samples]
            if to_x is not None:
                to_x[samples] = self._dense.input_gradient(upstream, weight, maps.shape, spec)
            if any(wanted[1:]):
                blocks = part.blocks_of(self._dense.weight_gradient(upstream, maps, spec))
                to_cells += part.mixture.flatten(0, -2).t() @ blocks
                to_mixture[samples] = (blocks @ cells.t()).view(part.mixture.shape)
        return [to_x, to_cells.view(kernel.cells.shape).to(cells.dtype), to_mixture]


def _assembled(kernel: CellKernel, spec: ConvSpec) -> Iterator[tuple[slice, CellKernel, Tensor]]:
    """Blocks of samples, each with its part of the kernel value and its kernels, which the next block overwrites."""
    cells, batch = kernel.cells.flatten(1), kernel.mixture.shape[0]
    size = min(batch, max(1, BLOCK_NUMBERS // spec.weight_count))
    # One buffer for all: fresh memory costs more than the products that fill it.
    buffer = cells.new_empty(size * (spec.weight_count // cells.shape[1]), cells.shape[1])
    for first in range(0, batch, size):
        samples = slice(first, first + size)
        part = CellKernel(kernel.cells, kernel.mixture[samples])
        mixture = part.mixture.flatten(0, -2)
        yield samples, part, part.from_blocks(torch.mm(mixture, cells, out=buffer[: len(mixture)]))
