"""Kernel slices attended from a bank of small kernels."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from dynaconv.kernels.blocks import in_blocks

__all__ = ["AttendedSlices"]


class AttendedSlices(nn.Module):
    """`slice_{b,o,i} = Σ_k softmax_k((u_o ⊙ v_i ⊙ scale_b) · keys) S_k`: attention over a bank of 2-D kernels.

    Because the query is a product, `scale_b` can multiply the keys instead: the queries are then the same for all
    samples, and the scores of one sample are one matrix product.

    Args:
        slices: `(O, I/g)`.
        kernel_size: `*k`.
        bank_size: K, kernels in the bank S.
        embedding_dim: V, length of u, v and the keys, all drawn from N(0, 1).
        device: where the parameters live.
        dtype: their type.

    Source: dot-product-generated kernels, mhorton19/CNN-Kernel-Attention. Differs in the bank's start: the authors draw
    from [6/√O, 1), which makes every kernel a blur; here the kernels are U(±√(6/fan_in)), centred.
    """

    def __init__(
        self,
        slices: tuple[int, int],
        kernel_size: tuple[int, ...],
        bank_size: int,
        embedding_dim: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        out_channels, in_channels = slices
        self.shape = (*slices, *kernel_size)
        self.out_vectors = nn.Parameter(torch.randn(out_channels, embedding_dim, device=device, dtype=dtype))
        self.in_vectors = nn.Parameter(torch.randn(in_channels, embedding_dim, device=device, dtype=dtype))
        self.keys = nn.Parameter(torch.randn(embedding_dim, bank_size, device=device, dtype=dtype))
        self.bank = nn.Parameter(torch.empty(bank_size, *kernel_size, device=device, dtype=dtype))
        self._start_bank()

    def _start_bank(self) -> None:
        """Kernels that average to zero, at the scale of a static convolution's.

        The attention starts nearly uniform, so whatever the kernels have in common would be nearly the whole of every
        slice, and all output channels would show the same map.
        """
        bank_size, in_channels = self.bank.shape[0], self.in_vectors.shape[0]
        bound = sqrt(6 / (in_channels * self.bank[0].numel()))
        nn.init.uniform_(self.bank, -bound, bound)
        if bank_size > 1:
            with torch.no_grad():
                # A slice sums the kernels with weights of about 1/K: the factor undoes how much that shrinks it.
                self.bank.sub_(self.bank.mean(0)).mul_(sqrt(bank_size))

    def forward(self, scale: Tensor) -> Tensor:
        """`scale: (B, V)` → kernels `(B, O, I/g, *k)`."""
        queries = (self.out_vectors.unsqueeze(1) * self.in_vectors).flatten(0, 1)
        values = self.bank.flatten(1)

        def generate(scale: Tensor) -> Tensor:
            # The keys' axis stands before the slices': one product of (b·K, V) with (V, O·I) and a softmax over
            # long contiguous rows.
            keys = (scale.unsqueeze(1) * self.keys.t()).flatten(0, 1)
            scores = (keys @ queries.t()).unflatten(0, (scale.shape[0], len(values)))
            attention = scores.softmax(1, dtype=torch.promote_types(scores.dtype, torch.float32))
            slices = torch.matmul(values.t().to(attention.dtype), attention).transpose(1, 2)
            return slices.reshape(scale.shape[0], *self.shape).to(scale.dtype)

        return in_blocks(generate, scale, len(queries) * len(values))
