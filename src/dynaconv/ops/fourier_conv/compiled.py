"""Kernels made from their spectrum by compiled kernels: as `generation` and `gradients`, in far fewer passes."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.native import fourier
from dynaconv.ops.scratch import scratch

__all__ = ["CompiledGradients", "CompiledMaker"]


class CompiledMaker:
    """Makes the kernels of some samples.

    Args:
        kernel: the kernel value.
        samples: how many samples at most at a time.
    """

    def __init__(self, kernel: FourierKernel, samples: int) -> None:
        self.kernel, self.sizes = kernel, fourier.sizes_of(kernel)
        self.tiled = (
            scratch("fourier tiles", (self.sizes.tiles,), kernel.spectrum),
            scratch("fourier runs", (self.sizes.runs,), torch.empty(0, dtype=torch.int16)),
        )
        self.half = scratch("fourier half", (samples * self.sizes.half,), kernel.spectrum)
        self._weights = scratch("fourier kernel", (samples, *kernel.size), kernel.spectrum)
        fourier.tile(kernel, *self.tiled)

    def weights(self, samples: slice, matrix: Tensor | None = None) -> Tensor:
        """`(b, O, I/g, k1, k2)`, until the next call; in `matrix` what they are before their factors."""
        found = self._weights[: samples.stop - samples.start]
        fourier.weights(self.kernel, samples, self.tiled, self.half, matrix, found)
        return found


class CompiledGradients:
    """Gradients of a kernel value's tensors, gathered block by block.

    Args:
        maker: makes the blocks.
        samples: how many samples at most at a time.
    """

    def __init__(self, maker: CompiledMaker, samples: int) -> None:
        self._maker, kernel = maker, maker.kernel
        self._matrix = scratch("fourier matrix", (samples * maker.sizes.matrix,), kernel.spectrum)
        self._tiles = scratch("fourier tile gradient", (maker.sizes.tiles,), kernel.spectrum).zero_()
        parts = (kernel.gates, kernel.left, kernel.right, kernel.vectors, kernel.context)
        self._totals = [None if part is None else torch.zeros(part.shape) for part in parts]

    def weights(self, samples: slice) -> Tensor:
        """The kernels that `add` will be given the gradient of, `(b, O, I/g, k1, k2)`."""
        return self._maker.weights(samples, self._matrix)

    def add(self, samples: slice, gradient: Tensor) -> None:
        """Add what `gradient: (b, O, I/g, k1, k2)` of the latest kernels gives every tensor."""
        maker, totals = self._maker, (self._tiles, self._totals)
        fourier.add_gradient(maker.kernel, samples, maker.tiled, maker.half, self._matrix, gradient, totals)

    def together(self) -> list[Tensor | None]:
        """The gradients of spectrum, runs, order, gates, left, right, vectors and context."""
        gates, *factors = self._totals
        return [fourier.untile(self._maker.kernel, self._tiles), None, None, gates, *factors]
