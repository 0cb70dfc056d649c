"""Kernels made from their spectrum, a few samples at a time.

Every step runs along contiguous memory, and what is as large as a kernel is in memory that is used again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.ops.scratch import scratch

__all__ = ["KernelMaker", "transform"]

# 512 KiB of complex float32.
TRANSFORM_NUMBERS = 2**16


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
        self._runs, (columns, rows) = kernel.runs.flatten(), kernel.runs.shape
        by_taps = (samples, rows * width, in_per_group)

        def new(name: str, *shape: int) -> Tensor:
            return scratch(f"fourier kernel {name}", shape, kernel.spectrum)

        self._spread = torch.view_as_complex(new("gates", columns * rows, 2))
        self._gated = torch.view_as_complex(new("spectrum", columns, rows, 2))
        self._half = torch.view_as_complex(new("half", rows, columns, 2))
        self._transformed = new("transformed", rows, in_per_group * width)
        self._matrix, self._factor = new("matrix", *by_taps), new("factor", *by_taps)
        self._weight = scratch("fourier kernel", (samples, *kernel.size), kernel.spectrum.new_empty(0, dtype=dtype))

    def weights(self, samples: slice) -> Tensor:
        """`(b, O, I/g, k1, k2)`, until the next call."""
        matrix = self.matrix(samples)
        for fill in (self.gate_factor, self.local_factor):
            factor = fill(samples, self._factor)
            if factor is not None:
                matrix *= factor
        return self.laid_out(matrix)

    def laid_out(self, matrix: Tensor) -> Tensor:
        """Matrices `(b, O·k1·k2, I/g)` as kernels."""
        weight = self._weight[: len(matrix)]
        weight.flatten(3).copy_(matrix.view(*weight.shape[:2], -1, weight.shape[2]).transpose(2, 3))
        return weight

    def matrix_of(self, weight: Tensor, out: Tensor) -> Tensor:
        """The inverse of `laid_out`, in `out`."""
        found = out[: len(weight)]
        found.view(*weight.shape[:2], -1, weight.shape[2]).copy_(weight.flatten(3).transpose(2, 3))
        return found

    def matrix(self, samples: slice) -> Tensor:
        """The transforms alone, `(b, O·k1·k2, I/g)`, until the next call."""
        gates = self.kernel.gates[samples]
        for one, matrix in zip(gates, self._matrix[: len(gates)], strict=True):
            self._apply_gates(one, torch.view_as_real(self._gated).flatten(0, 1))
            transform(torch.fft.ifft, self._gated, self._half.t())
            transform(partial(torch.fft.irfft, n=self._transformed.shape[1]), self._half, self._transformed)
            taps_first = self._transformed.view(self._layout).transpose(2, 3)
            matrix.view(taps_first.shape).copy_(taps_first)
        return self._matrix[: len(gates)]

    def transformed(self, matrix: Tensor) -> Tensor:
        """One sample's matrix `(O·k1·k2, I/g)` as the transform made it, `(O·k1, I/g·k2)`, until the next call."""
        outputs, height, inputs, width = self._layout
        self._transformed.view(self._layout).copy_(matrix.view(outputs, height, width, inputs).transpose(2, 3))
        return self._transformed

    def spread(self, gates: Tensor) -> Tensor:
        """The gates `(n,)` of one spectrum at every frequency, twice, `(F, 2)`, until the next call."""
        torch.index_select(torch.complex(gates, gates), 0, self._runs, out=self._spread)
        return torch.view_as_real(self._spread)

    def gate_factor(self, samples: slice, out: Tensor) -> Tensor | None:
        """The factor of low rank, `(b, O·k1·k2, I/g)` in `out`, or `None`."""
        if self.kernel.left is None or self.kernel.right is None:
            return None
        return _product(self.kernel.left[samples], self.kernel.right[samples], out)

    def local_factor(self, samples: slice, out: Tensor) -> Tensor | None:
        """The sigmoids, `(b, O·k1·k2, I/g)` in `out`, or `None`."""
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
    """`(b, g, R, q) @ (b, g, q, C)` as `(b, g·R, C)` in `out`."""
    found = out[: len(left)]
    torch.bmm(left.flatten(0, 1), right.flatten(0, 1), out=found.view(-1, left.shape[2], right.shape[3]))
    return found


def transform(function: Callable[..., Tensor], rows: Tensor, out: Tensor) -> None:
    """`out = function(rows, dim=1)`, a few rows at a time: results of the transforms are always in fresh memory."""
    some = max(1, TRANSFORM_NUMBERS // rows.shape[1])
    for first in range(0, rows.shape[0], some):
        out[first : first + some].copy_(function(rows[first : first + some], dim=1))
