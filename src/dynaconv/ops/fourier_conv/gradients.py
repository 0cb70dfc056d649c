"""The gradient of kernels taken back to their spectrum, gates and factors."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from dynaconv.ops.fourier_conv.generation import KernelMaker, transform
from dynaconv.ops.scratch import scratch

__all__ = ["KernelGradients"]


class KernelGradients:
    """Gradients of a kernel value's tensors, gathered block by block.

    Args:
        maker: makes the blocks.
        samples: how many samples at most at a time.
    """

    def __init__(self, maker: KernelMaker, samples: int) -> None:
        self._maker, kernel = maker, maker.kernel
        self._spectrum, self._gates = torch.zeros_like(kernel.spectrum), torch.zeros_like(kernel.gates)
        factors = (kernel.left, kernel.right, kernel.vectors, kernel.context)
        self._factors = [None if f is None else torch.zeros_like(f) for f in factors]
        columns, rows = kernel.runs.shape
        _, inputs, _, width = kernel.size

        def new(name: str, *shape: int) -> Tensor:
            return scratch(f"fourier gradient {name}", shape, kernel.spectrum)

        self._gate_factor, self._local_factor, self._upstream, self._product = (
            new(name, samples, rows * width, inputs) for name in ("gate", "local", "upstream", "product")
        )
        self._rows = torch.view_as_complex(new("rows", columns, rows, 2))
        self._found = torch.view_as_complex(new("spectrum", columns, rows, 2))
        self._order = kernel.order.flatten()
        self._by_gate = torch.view_as_complex(new("by gate", len(self._order), 2))
        # One more: what fills up the shorter runs.
        self._shares = new("shares", columns * rows + 1, 2)
        self._shares[-1] = 0
        # Of a real matrix, all frequencies but the first and the middle one of a row stand for two.
        doubled = kernel.spectrum.new_full((columns, 1, 1), 2)
        doubled[0] = 1
        if inputs * width % 2 == 0:
            doubled[-1] = 1
        self._doubled = doubled
        self._weighted = kernel.spectrum * doubled

    def weights(self, samples: slice) -> Tensor:
        """The kernels that `add` will be given the gradient of, `(b, O, I/g, k1, k2)`."""
        maker = self._maker
        self._matrix = maker.matrix(samples)
        self._gate = maker.gate_factor(samples, self._gate_factor)
        self._local = maker.local_factor(samples, self._local_factor)
        weight = self._matrix
        for factor in (self._gate, self._local):
            if factor is not None:
                weight = torch.mul(weight, factor, out=self._product[: len(weight)])
        return maker.laid_out(weight)

    def add(self, samples: slice, gradient: Tensor) -> None:
        """Add what `gradient: (b, O, I/g, k1, k2)` of the latest kernels gives every tensor."""
        upstream = self._maker.matrix_of(gradient, self._upstream)
        # Of all factors together, before either has been multiplied in.
        self._matrix *= upstream
        for factor in (self._gate, self._local):
            if factor is not None:
                upstream *= factor
        self._add_factors(samples)
        self._add_spectrum(samples, upstream)

    def together(self) -> list[Tensor | None]:
        """The gradients of spectrum, runs, order, gates, left, right, vectors and context."""
        return [self._spectrum * self._doubled, None, None, self._gates, *self._factors]

    def _add_factors(self, samples: slice) -> None:
        total = self._matrix
        if self._local is not None:
            total = torch.mul(total, self._local, out=self._product[: len(total)])
        if self._gate is not None:
            left, right = self._maker.kernel.left, self._maker.kernel.right
            assert left is not None
            assert right is not None
            self._add_products(samples, total, left[samples], right[samples], (0, 1))
            total *= self._gate
        if self._local is not None:
            vectors, context = self._maker.kernel.vectors, self._maker.kernel.context
            assert vectors is not None
            assert context is not None
            total *= torch.sub(1, self._local, out=self._local)
            self._add_products(samples, total, vectors.expand(len(total), *vectors.shape), context[samples], (2, 3))

    def _add_products(
        self, samples: slice, gradient: Tensor, left: Tensor, right: Tensor, places: tuple[int, int]
    ) -> None:
        """Add the gradients of both factors of a product whose gradient is `(b, g·R, C)`."""
        by_group = gradient.view(-1, left.shape[2], right.shape[3])
        to_left = torch.bmm(by_group, right.flatten(0, 1).transpose(1, 2)).view(left.shape)
        to_right = torch.bmm(left.flatten(0, 1).transpose(1, 2), by_group).view(right.shape)
        for found, place in ((to_left, places[0]), (to_right, places[1])):
            total = self._factors[place]
            assert total is not None
            if total.dim() == found.dim():
                total[samples] = found
            else:
                total += found.sum(0)

    def _add_spectrum(self, samples: slice, gradient: Tensor) -> None:
        """Transform the gradient of the matrices and share it out; the adjoint of `KernelMaker.matrix`."""
        kernel, shares = self._maker.kernel, self._shares
        numbers = torch.view_as_real(self._found).flatten(0, 1)
        for one, gates, to_gates in zip(gradient, kernel.gates[samples], self._gates[samples], strict=True):
            rows = self._maker.transformed(one)
            transform(partial(torch.fft.rfft, norm="forward"), rows, self._rows.t())
            transform(partial(torch.fft.fft, norm="forward"), self._rows, self._found)
            for j, gate in enumerate(gates):
                torch.mul(self._weighted[j].view(-1, 2), numbers, out=shares[:-1])
                by_gate = torch.index_select(torch.view_as_complex(shares), 0, self._order, out=self._by_gate)
                to_gates[j] = torch.view_as_real(by_gate).view(len(kernel.order), -1).sum(1)
                self._spectrum[j].view(-1, 2).addcmul_(numbers, self._maker.spread(gate))
