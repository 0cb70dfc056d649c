"""A few samples and output channels at a time: assemble their kernels, convolve with an algorithm of `dense_conv`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import torch
from torch import Tensor

from dynaconv.kernels import CellKernel
from dynaconv.ops.dense_conv.algorithms import DenseAlgorithm
from dynaconv.ops.patches import new_output
from dynaconv.spec import ConvSpec

__all__ = ["CellBlocks"]

# 16 MiB of float32 stay in the last cache between the product that writes them and the convolution that reads them.
BLOCK_NUMBERS = 2**22
# So many samples make the products with the cells fast, and so many output channels the convolution.
BLOCK_SAMPLES = 16
OUTPUT_UNIT = 32


@dataclass(frozen=True)
class _Block:
    """Kernels of some samples and of some output channels of every cell.

    Attributes:
        samples: which samples.
        outputs: which output channels of a cell.
        kernel: the part of the kernel value.
        weight: these kernels, `(b, Q·o', I/g, *k)`.
        spec: the geometry, with so many output channels.
    """

    samples: slice
    outputs: slice
    kernel: CellKernel
    weight: Tensor
    spec: ConvSpec


class CellBlocks:
    """The forward and the backward pass over blocks of samples and output channels.

    Args:
        dense: convolves a block.
    """

    def __init__(self, dense: DenseAlgorithm) -> None:
        self._dense = dense

    def forward(self, x: Tensor, kernel: CellKernel, spec: ConvSpec) -> Tensor:
        """`x: (B, I, *S)`, padded already where the padding is not zeros → `(B, O, *S_out)`, without the bias."""
        y, _ = new_output(x, spec)
        for block in _blocks(kernel, spec):
            target = _of(y, block, kernel)
            target.copy_(self._dense.forward(x[block.samples], block.weight, block.spec).view(target.shape))
        return y

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: CellKernel, spec: ConvSpec, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of input, cells and mixture as far as they are wanted; kernels are assembled again."""
        to_x = torch.zeros_like(x) if wanted[0] else None
        wide = torch.promote_types(x.dtype, torch.float32)
        to_cells = torch.zeros_like(kernel.cells, dtype=wide)
        to_mixture = torch.zeros_like(kernel.mixture, dtype=wide)
        for block in _blocks(kernel, spec):
            samples, part = block.samples, block.kernel
            upstream, maps = _of(gradient, block, kernel).flatten(1, 2), x[samples]
            if to_x is not None:
                to_x[samples] += self._dense.input_gradient(upstream, block.weight, maps.shape, block.spec)
            if any(wanted[1:]):
                rows = part.blocks_of(self._dense.weight_gradient(upstream, maps, block.spec))
                _add_product(to_cells[:, block.outputs].flatten(1), part.mixture.flatten(0, -2).t(), rows)
                _add_product(to_mixture[samples].flatten(0, -2), rows, part.cells.flatten(1).t())
        return [to_x, to_cells.to(x.dtype), to_mixture.to(x.dtype)]


def _blocks(kernel: CellKernel, spec: ConvSpec) -> Iterator[_Block]:
    """All blocks; the weights of one are overwritten by the next."""
    batch, outputs = kernel.mixture.shape[0], kernel.cells.shape[1]
    samples = min(batch, BLOCK_SAMPLES)
    channels = outputs
    if spec.groups == 1:
        units = BLOCK_NUMBERS // (samples * (spec.weight_count // outputs) * OUTPUT_UNIT)
        channels = min(outputs, max(1, units) * OUTPUT_UNIT)
    samples = min(samples, max(1, BLOCK_NUMBERS // (spec.weight_count // outputs * channels)))
    samples = ceil(batch / ceil(batch / samples))
    # One buffer for all: fresh memory costs more than the products that fill it.
    buffer = kernel.cells.new_empty(samples * spec.weight_count // outputs * channels)
    for first_output in range(0, outputs, channels):
        within = slice(first_output, min(first_output + channels, outputs))
        cells = kernel.cells[:, within]
        flat = cells.flatten(1)
        narrow = replace(spec, out_channels=spec.out_channels // outputs * cells.shape[1])
        for first in range(0, batch, samples):
            some = slice(first, min(first + samples, batch))
            part = CellKernel(cells, kernel.mixture[some])
            mixture = part.mixture.flatten(0, -2)
            rows = buffer[: len(mixture) * flat.shape[1]].view(len(mixture), -1)
            weight = part.from_blocks(torch.mm(mixture, flat, out=rows))
            yield _Block(some, within, part, weight, narrow)


def _of(maps: Tensor, block: _Block, kernel: CellKernel) -> Tensor:
    """The part of `maps: (B, O, *S_out)` that a block makes, `(b, Q, o', *S_out)`."""
    by_cell: Tensor = maps[block.samples].unflatten(1, (-1, kernel.cells.shape[1]))
    return by_cell[:, :, block.outputs]


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """`total += a @ b`, without a product in between where the types allow it."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b
