"""A gate for every 2-D kernel slice, from the context."""

from __future__ import annotations

from math import log, sqrt

import torch
from torch import Tensor, nn

__all__ = ["SliceGate"]


class SliceGate(nn.Module):
    """`α_{b,o,i} = σ(v_{oi} · FC(g_b))`: one number in (0, 1) per sample and (output, input) slice.

    Args:
        context_dim: D, length of the context vector.
        slices: `(O, I/g)`.
        embedding_dim: V, length of the slice vectors.
        gate: what the gates are about at the start, above 0 and below 1: slice vectors are drawn around a common one,
            which the context's layer starts with. `None` starts with slice vectors of zero, as published: every gate
            is one half, and the context's layer gets no gradient in the first step.
        device: where the parameters live.
        dtype: their type.

    Source: kernel-weighted convolution, mhorton19/CNN-Kernel-Attention.
    """

    def __init__(
        self,
        context_dim: int,
        slices: tuple[int, int],
        embedding_dim: int,
        gate: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.fc = nn.Linear(context_dim, embedding_dim, device=device, dtype=dtype)
        self.embedding = nn.Parameter(torch.empty(*slices, embedding_dim, device=device, dtype=dtype))
        if gate is None:
            nn.init.zeros_(self.embedding)
            return
        # The common vector has length one.
        each = 1 / sqrt(embedding_dim)
        nn.init.normal_(self.embedding, mean=each, std=each)
        with torch.no_grad():
            self.fc.bias.add_(log(gate / (1 - gate)) * each)

    def forward(self, context: Tensor) -> Tensor:
        """`context: (B, D)` → `(B, O, I/g)`."""
        scores = nn.functional.linear(self.fc(context), self.embedding.flatten(0, 1))
        gates: Tensor = scores.sigmoid().unflatten(1, self.embedding.shape[:2])
        return gates
