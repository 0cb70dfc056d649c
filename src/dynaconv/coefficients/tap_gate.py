"""A gate for every tap at every position, from local and global context together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients.temperature import Temperature

__all__ = ["TapGate"]


class TapGate(nn.Module):
    """`a_{b,g,t,p} = 2 σ((V ReLU(l_{b,p} + F c_b + f) + v) / τ)`: one number in (0, 2) per tap and position.

    The local context l and the projected global context c meet before the nonlinearity, so the whole map decides what
    a window's content means.

    Args:
        global_dim: C, length of the global context c.
        local_dim: D, length of the local context l.
        taps: T.
        groups: G, each with gates of its own.
        temperature: τ > 0. A buffer, saved with the weights.
        device: where the parameters live.
        dtype: their type.
    """

    def __init__(
        self,
        global_dim: int,
        local_dim: int,
        taps: int,
        groups: int = 1,
        temperature: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.shape = (groups, taps)
        self.fuse = nn.Linear(global_dim, local_dim, device=device, dtype=dtype)
        self.head = nn.Conv1d(local_dim, groups * taps, 1, device=device, dtype=dtype)
        # No schedule is published: an automatic one leaves the temperature as it is.
        self.temperature = Temperature(temperature, start=temperature, end=temperature, device=device)

    def forward(self, local: Tensor, context: Tensor) -> Tensor:
        """`local: (B, D, *S_out)`, `context: (B, C)` → `(B, G, T, *S_out)` in the type of `local`."""
        hidden: Tensor = (local.flatten(2) + self.fuse(context).unsqueeze(2)).relu()
        gates: Tensor = 2 * self.temperature(self.head(hidden)).sigmoid()
        return gates.to(local.dtype).reshape(local.shape[0], *self.shape, *local.shape[2:])
