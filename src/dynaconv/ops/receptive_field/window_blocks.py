"""The windows of some samples at a time, laid out as columns that stay in the cache, and the way back to the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from dynaconv.ops.static_conv import pad
from dynaconv.ops.windows import add_to_padded, inner, windows
from dynaconv.spec import ConvSpec

__all__ = ["Blocks", "WindowBlocks", "affine", "cut"]

# 4 MiB of float32: large enough for products at full speed, small enough that a few such blocks stay in the cache.
_BLOCK_NUMBERS = 2**20


def affine(weight: Tensor, shift: Tensor, channels: int) -> Tensor:
    """T kernels of every channel, with a number to add: `(C·T, 1, *k)` and `(C·T,)` → `(C, T, K + 1)`."""
    rows = torch.cat([weight.flatten(1), shift[:, None]], dim=1)
    kernels: Tensor = rows.unflatten(0, (channels, -1))
    return kernels


@dataclass(frozen=True)
class Blocks:
    """How the samples of a field are cut into blocks that stay in the cache.

    Attributes:
        samples: B.
        at_once: samples of a block; the last may have fewer.
        positions: P, output positions of a sample.
    """

    samples: int
    at_once: int
    positions: int

    @classmethod
    def of(cls, x: Tensor, spec: ConvSpec) -> Blocks:
        """Those of a field of `x: (B, C, *S)`."""
        positions = prod(spec.output_size(x.shape[2:]))
        at_once = max(1, min(x.shape[0], _BLOCK_NUMBERS // (x.shape[1] * spec.taps * positions)))
        return cls(x.shape[0], at_once, positions)

    @property
    def columns(self) -> int:
        """The most columns, samples times positions, of a block."""
        return self.at_once * self.positions

    def __iter__(self) -> Iterator[tuple[slice, int]]:
        """The samples of every block, and how many columns they are."""
        for first in range(0, self.samples, self.at_once):
            samples = slice(first, min(first + self.at_once, self.samples))
            yield samples, (samples.stop - samples.start) * self.positions


class WindowBlocks:
    """Walks over the samples of a map; the buffers of one block serve all of them.

    Memory that is taken anew for every block costs more than the work that is done on it.

    Args:
        x: `(B, C, *S)`.
        spec: the geometry; zeros as padding.

    Attributes:
        channels: C.
        columns: the most columns, samples times positions, of a block.
    """

    def __init__(self, x: Tensor, spec: ConvSpec) -> None:
        self._padded, self._spec = pad(x, spec), spec
        self.channels, self._size = x.shape[1], spec.output_size(x.shape[2:])
        self._blocks = Blocks.of(x, spec)
        self.columns = self._blocks.columns

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Samples, and their windows as columns over a row of ones, `(C, K + 1, n)`; the next step overwrites them.

        So a product with `affine` kernels is a convolution with a number added.
        """
        spec, view = self._spec, windows(self._padded, self._spec.unpadded())
        buffer = self.buffer(spec.taps + 1)
        by_channel = view.permute(1, *range(2, 2 + spec.dims), 0, *range(2 + spec.dims, 2 + 2 * spec.dims))
        for samples, width in self._blocks:
            first, count = samples.start, samples.stop - samples.start
            columns = cut(buffer, self.channels, spec.taps + 1, width)
            laid_out = columns[:, : spec.taps].view(self.channels, *spec.kernel_size, count, *self._size)
            laid_out.copy_(by_channel.narrow(1 + spec.dims, first, count))
            columns[:, spec.taps] = 1
            yield samples, columns

    def buffer(self, rows: int) -> Tensor:
        """Memory for so many rows of a block, of every channel."""
        return self._padded.new_empty(self.channels * rows * self.columns)

    def no_pixels(self) -> Tensor:
        """Zeros for `add` to add to: the pixels with their padding."""
        return torch.zeros_like(self._padded)

    def add(self, total: Tensor, samples: slice, columns: Tensor) -> None:
        """The adjoint of laying out: some samples' columns `(C, K, n)` added to the pixels that they were."""
        dims = self._spec.dims
        laid_out = columns.view(self.channels, *self._spec.kernel_size, -1, *self._size)
        add_to_padded(total[samples], laid_out.movedim(1 + dims, 0), self._spec)

    def unpadded(self, total: Tensor) -> Tensor:
        """The pixels without their padding: `(B, C, *S)`."""
        size = (n - sum(pads) for n, pads in zip(total.shape[2:], self._spec.pads, strict=True))
        return inner(total, tuple(size), self._spec).contiguous()


def cut(buffer: Tensor, *shape: int) -> Tensor:
    """The beginning of a buffer, in a shape."""
    return buffer[: prod(shape)].view(shape)
