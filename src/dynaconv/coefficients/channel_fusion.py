"""The coefficients of dynamic channel fusion: a factor per output channel, and a small matrix that fuses channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ChannelFusion"]


class ChannelFusion(nn.Module):
    """From a context c: `h = W1 c`, `h' = h ⊙ ρ(W2 h)`, `Λ = ρ(W3 h')`, `Φ = W4 h'`, with `ρ(u) = ReLU6(u + 3) / 3`.

    ρ lies between 0 and 2 and is 1 at 0.

    Args:
        context_dim: D, length of the context vector.
        hidden_dim: S, length of h.
        out_channels: O, length of Λ.
        groups: g; each has a matrix of its own.
        rank: L, size of each matrix.
        device: where the parameters live.
        dtype: their type.

    Source: Li et al., Revisiting Dynamic Convolution via Matrix Decomposition, ICLR 2021, 2103.08756; liyunsheng13/dcd.
    """

    def __init__(
        self,
        context_dim: int,
        hidden_dim: int,
        out_channels: int,
        groups: int,
        rank: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.groups, self.rank = groups, rank
        self.squeeze = nn.Linear(context_dim, hidden_dim, bias=False, device=device, dtype=dtype)
        self.gate = nn.Linear(hidden_dim, hidden_dim, bias=False, device=device, dtype=dtype)
        self.scale = nn.Linear(hidden_dim, out_channels, bias=False, device=device, dtype=dtype)
        self.fusion = nn.Linear(hidden_dim, groups * rank**2, bias=False, device=device, dtype=dtype)

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """`context: (B, D)` → Λ `(B, O)` and Φ `(B, g, L, L)`."""
        hidden = self.squeeze(context)
        hidden = hidden * _gate(self.gate(hidden))
        return _gate(self.scale(hidden)), self.fusion(hidden).unflatten(1, (self.groups, self.rank, self.rank))


def _gate(scores: Tensor) -> Tensor:
    return F.relu6(scores + 3) / 3
