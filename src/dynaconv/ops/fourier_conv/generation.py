"""Kernels made from their spectrum, a few samples at a time.

Every step runs along contiguous memory. What is as large as a block of kernels is allocated once a call: fresh pages
cost more than the numbers written to them.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel

__all__ = ["KernelMaker", "transposed"]


class KernelMaker:
    """Makes the kernels of some samples.

    Args:
        kernel: the kernel value.
        samples: how many samples at most at a time.
        dtype: of the kernels.
    """

    def __init__(self, kernel: FourierKernel, samples: int, dtype: torch.dtype) -> None:
        self.kernel = kernel
        out_channels, in_per_group, height, width = kernel.size
        self._layout = (out_channels, height, in_per_group, width)
        columns, rows = kernel.runs.shape
        self._runs = kernel.runs.flatten()
        new = kernel.spectrum.new_empty
        self._spread = torch.view_as_complex(new(columns * rows, 2))
        self._gated = torch.view_as_complex(new(samples, columns, rows, 2))
        self._half = torch.view_as_complex(new(samples, rows, columns, 2))
        self._factor = new(samples, rows, in_per_group * width)
        self._weight = new(samples, *kernel.size, dtype=dtype)

    def weights(self, samples: slice) -> Tensor:
        """`(b, O, I/g, k1, k2)`, until the next call."""
        matrix = self.matrix(samples)
        for fill in (self.gate_factor, self.local_factor):
            factor = fill(samples, self._factor)
            if factor is not None:
                matrix *= factor
        return self.laid_out(matrix)

    def laid_out(self, matrix: Tensor) -> Tensor:
        """Matrices `(b, O·k1, I/g·k2)` as kernels."""
        weight = self._weight[: len(matrix)]
        parts = matrix.view(-1, *self._layout)
        # Tap by tap: three times as fast as one copy with so short rows.
        for y, x in product(range(parts.shape[2]), range(parts.shape[4])):
            weight[..., y, x].copy_(parts[:, :, y, :, x])
        return weight

    def matrix_of(self, weight: Tensor, out: Tensor) -> Tensor:
        """The inverse of `laid_out`, in `out`."""
        found = out[: len(weight)]
        found.view(-1, *self._layout).copy_(weight.transpose(2, 3))
        return found

    def matrix(self, samples: slice) -> Tensor:
        """The transforms alone, `(b, O·k1, I/g·k2)`."""
        gates = self.kernel.gates[samples]
        gated, half = self._gated[: len(gates)], self._half[: len(gates)]
        for i in range(len(gates)):
            self._apply_gates(gates[i], torch.view_as_real(gated[i]).flatten(0, 1))
        transposed(torch.fft.ifft(gated, dim=2), half)
        matrix: Tensor = torch.fft.irfft(half, n=self._factor.shape[2], dim=2)
        return matrix

    def spread(self, gates: Tensor) -> Tensor:
        """The gates `(n,)` of one spectrum at every frequency, twice, `(F, 2)`, until the next call."""
        torch.index_select(torch.complex(gates, gates), 0, self._runs, out=self._spread)
        return torch.view_as_real(self._spread)

    def gate_factor(self, samples: slice, out: Tensor) -> Tensor | None:
        """The factor of low rank, `(b, O·k1, I/g·k2)` in `out`, or `None`."""
        if self.kernel.left is None or self.kernel.right is None:
            return None
        return _product(self.kernel.left[samples], self.kernel.right[samples], out)

    def local_factor(self, samples: slice, out: Tensor) -> Tensor | None:
        """The sigmoids, `(b, O·k1, I/g·k2)` in `out`, or `None`."""
        if self.kernel.vectors is None or self.kernel.context is None:
            return None
        context = self.kernel.context[samples]
        vectors = self.kernel.vectors.expand(len(context), *self.kernel.vectors.shape)
        return _product(vectors, context, out).sigmoid_()

    def _apply_gates(self, gates: Tensor, out: Tensor) -> None:
        """One sample's spectrum under its gates `(r, n)`, in `out`, `(F, 2)`."""
        for number, (spectrum, gate) in enumerate(zip(self.kernel.spectrum, gates, strict=True)):
            if number == 0:
                torch.mul(spectrum.view(-1, 2), self.spread(gate), out=out)
            else:
                out.addcmul_(spectrum.view(-1, 2), self.spread(gate))


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """`(b, g, R, q) @ (b, g, q, C)` as matrices `(b, g·R, C)` in `out`."""
    found = out[: len(left)]
    torch.bmm(left.flatten(0, 1), right.flatten(0, 1), out=found.view(-1, left.shape[2], right.shape[3]))
    return found


def transposed(matrices: Tensor, out: Tensor) -> Tensor:
    """Each matrix transposed, in `out`; one by one, since only these are copied in tiles."""
    for one, target in zip(matrices, out, strict=True):
        target.copy_(one.t())
    return out
