"""A kernel per sample whose frequencies are weighted by gates, and whose numbers by factors of low rank."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, prod

import torch
from torch import Tensor

__all__ = ["FourierKernel"]


@dataclass(frozen=True, eq=False)
class FourierKernel:
    """`W_b = F⁻¹(gates[b, runs] ⊙ spectrum) ⊙ (left_b right_b) ⊙ σ(vectors context_b)`.

    The transform makes a matrix `(O·k1) × (I/g·k2)`; the spectrum of a real matrix has `I/g·k2 // 2 + 1` columns,
    which are stored as rows. Several spectra are added up. The factors' products are matrices `(O·k1·k2) × (I/g)`, the
    rows of each group below those of the one before.

    Attributes:
        spectrum: `(r, I/g·k2 // 2 + 1, O·k1, 2)`, real and imaginary parts, of any scale.
        runs: `(I/g·k2 // 2 + 1, O·k1)`, which gate every frequency has.
        order: `(n, L)`, where the frequencies of every gate are; where it has fewer, one past the last.
        gates: `(B, r, n)`.
        size: `(O, I/g, k1, k2)`.
        left: `(B, g, O/g·k1·k2, q)` or `None`.
        right: `(B, g, q, I/g)` or `None`; there with `left`.
        vectors: `(g, O/g·k1·k2, p)` or `None`.
        context: `(B, g, p, I/g)` or `None`; there with `vectors`.
        bias: `(O,)` or `None`.
    """

    spectrum: Tensor
    runs: Tensor
    order: Tensor
    gates: Tensor
    size: tuple[int, ...]
    left: Tensor | None = None
    right: Tensor | None = None
    vectors: Tensor | None = None
    context: Tensor | None = None
    bias: Tensor | None = None

    def dense(self) -> Tensor:
        """Every sample's kernel, written out: `(B, O, I/g, k1, k2)`."""
        batch, (out_channels, in_per_group, height, width) = self.gates.shape[0], self.size
        if not batch:
            # Fourier transforms refuse empty batches.
            none = self.gates.sum() * self.spectrum.sum()
            return none.expand(0, *self.size)
        index = self.runs.flatten().expand(batch, -1)
        terms = [
            one * gate.to(one.dtype).gather(1, index).view(batch, *self.runs.shape, 1)
            for one, gate in zip(self.spectrum, self.gates.unbind(1), strict=True)
        ]
        gated = torch.view_as_complex(terms[0] if len(terms) == 1 else torch.stack(terms).sum(0))
        # Both passes along contiguous memory: twice as fast as the two-dimensional transform.
        half = torch.fft.ifft(gated, dim=2).transpose(1, 2).contiguous()
        matrix = torch.fft.irfft(half, n=in_per_group * width, dim=2)
        weight: Tensor = matrix.view(batch, out_channels, height, in_per_group, width).transpose(2, 3)
        if self.left is not None and self.right is not None:
            weight = weight * self._by_taps(self.left @ self.right)
        if self.vectors is not None and self.context is not None:
            weight = weight * self._by_taps(self.vectors @ self.context).sigmoid()
        return weight.contiguous()

    def _by_taps(self, product: Tensor) -> Tensor:
        """A factor `(B, g, O/g·k1·k2, I/g)` as `(B, O, I/g, k1, k2)`."""
        out_channels, in_per_group, height, width = self.size
        return product.reshape(-1, out_channels, height, width, in_per_group).movedim(4, 2)

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions, making the weight included.

        A transform of N real numbers counts as `5/4 N log2 N`, half of the usual estimate of its operations.
        """
        numbers = prod(self.size)
        transform = round(1.25 * numbers * log2(numbers))
        ranks = (factor.shape[-1] + 1 for factor in (self.left, self.vectors) if factor is not None)
        gating = self.spectrum.numel()
        return (positions + sum(ranks)) * numbers + transform + gating
