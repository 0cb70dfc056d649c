"""A kernel per sample whose parts are mixed, each for itself, from cells that all samples share."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

__all__ = ["CellKernel"]


@dataclass(frozen=True, eq=False)
class CellKernel:
    """A kernel per sample, put together from blocks that are each a mixture of the same cells.

    The kernel is cut along taps, output and input channels into blocks of a cell's size. Block p of sample b is
    `Σ_n mixture[b,p,n] · cells[n]`.

    Shapes: N cells of o output channels, i input channels and `*c` taps; block counts `*P = k/c`, `Q = O/o` and
    `R = (I/g)/i`.

    Attributes:
        cells: `(N, o, i, *c)`.
        mixture: `(B, *P, Q, R, N)`.
        bias: `(B, O)`, `(O,)` or `None`.
    """

    cells: Tensor
    mixture: Tensor
    bias: Tensor | None = None

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """`(O, I/g, *k)`."""
        *positions, outputs, inputs = self.mixture.shape[1:-1]
        out_channels, in_channels, *taps = self.cells.shape[1:]
        size = (p * c for p, c in zip(positions, taps, strict=True))
        return (outputs * out_channels, inputs * in_channels, *size)

    def dense(self) -> Tensor:
        """Every sample's kernel, written out: `(B, O, I/g, *k)`."""
        return self.from_blocks(self.mixture.flatten(0, -2) @ self.cells.flatten(1))

    def from_blocks(self, blocks: Tensor) -> Tensor:
        """Mixed blocks `(B·P·Q·R, o·i·c)`, a block a row, as the kernels that they are parts of."""
        in_order = blocks.view(self._blocks).permute(self._order)
        return in_order.reshape(self.mixture.shape[0], *self.weight_shape)

    def blocks_of(self, weight: Tensor) -> Tensor:
        """The inverse of `from_blocks`, for kernels `(B, O, I/g, *k)`."""
        shape = [self._blocks[axis] for axis in self._order]
        back = sorted(range(len(shape)), key=self._order.__getitem__)
        return weight.reshape(shape).permute(back).reshape(-1, self.cells[0].numel())

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions, mixing the cells included."""
        numbers = prod(self.weight_shape)
        return self.cells.shape[0] * numbers + positions * numbers

    @property
    def _blocks(self) -> tuple[int, ...]:
        """Shape of the blocks side by side: `(B, *P, Q, R, o, i, *c)`."""
        return (*self.mixture.shape[:-1], *self.cells.shape[1:])

    @property
    def _order(self) -> tuple[int, ...]:
        """The axes of `_blocks` in the order of a kernel: B, Q, o, R, i, then P and c of every dimension."""
        dims = self.cells.dim() - 3
        first = dims + 5
        taps = (axis for d in range(dims) for axis in (1 + d, first + d))
        return (0, dims + 1, dims + 3, dims + 2, dims + 4, *taps)
