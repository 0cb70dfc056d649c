"""Contrasting attention: signed shares of kernel cells, annealed from a fixed assignment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm, branch_norm
from dynaconv.coefficients.temperature import Temperature

__all__ = ["ContrastingAttention"]


class ContrastingAttention(nn.Module):
    """`α_mn = (1 − τ) · z_mn / (Σ_p |z_mp| + 10⁻³) + τ · β_mn` for every block m of a kernel and every cell n.

    The scores `z` come from the context through two linear layers. They may be negative. One more score takes part in
    the sum and is then dropped, so that a block can stay near zero. β is one at the cell that block m starts with.

    Args:
        in_channels: I.
        hidden: width between the linear layers.
        num_cells: N.
        assignment: for every block, the cell that it starts with, or N for none.
        own: which cells are the layer's own; they keep scores of their own where there is a basis.
        basis: scores of the other cells are mixed from so many; `None` for a score each.
        norm: the normalisation between the linear layers: `"batch"`, `"layer"` or `None`.
        temperature: τ, from 0 to 1.
        device: where the parameters live.
        dtype: their type.

    Source: Li, Yao, KernelWarehouse, ICML 2024, 2406.07879, equation 3; OSVAI/KernelWarehouse.
    """

    assignment: Tensor

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        num_cells: int,
        assignment: Sequence[int],
        own: range,
        *,
        basis: int | None = None,
        norm: BranchNorm = "batch",
        temperature: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_cells, self.own, blocks = num_cells, own, len(assignment)
        self.fc1 = nn.Linear(in_channels, hidden, bias=norm != "batch", device=device, dtype=dtype)
        self.norm = branch_norm(norm, hidden, device=device, dtype=dtype)
        scores = num_cells + 1 if basis is None else len(own) + basis + 1
        self.fc2 = nn.Linear(hidden, scores * blocks, bias=basis is None, device=device, dtype=dtype)
        self.fc3: nn.Linear | None = None
        self.basis_bias: nn.Parameter | None = None
        if basis is not None:
            self.fc3 = nn.Linear(basis, num_cells - len(own), bias=False, device=device, dtype=dtype)
            self.basis_bias = nn.Parameter(torch.zeros(blocks * (num_cells + 1), device=device, dtype=dtype))
        for linear in (self.fc1, self.fc2, self.fc3):
            if linear is not None:
                nn.init.kaiming_normal_(linear.weight, mode="fan_out", nonlinearity="relu")
                if linear.bias is not None:
                    nn.init.zeros_(linear.bias)
        self.temperature = Temperature(temperature, start=1.0, end=0.0, zero=True, device=device)
        self.register_buffer("assignment", torch.tensor(assignment, device=device))

    def forward(self, context: Tensor) -> Tensor:
        """`context: (B, I)` → `(B, M, N)`, in at least float32."""
        scores = self._scores(torch.relu(self.norm(self.fc1(context))))
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # The published constant; it also keeps scores of zero from dividing by zero.
        shares = scores / (scores.abs().sum(-1, keepdim=True) + 1e-3)
        cells = torch.arange(self.num_cells, device=self.assignment.device)
        start = (self.assignment.unsqueeze(1) == cells).to(shares.dtype)
        temperature = self.temperature.value.to(shares.dtype)
        return (1 - temperature) * shares[..., :-1] + temperature * start

    def _scores(self, hidden: Tensor) -> Tensor:
        """`(B, h)` → scores of all cells and the one that is dropped, `(B, M, N + 1)`."""
        scores: Tensor = self.fc2(hidden).unflatten(-1, (len(self.assignment), -1))
        if self.fc3 is None or self.basis_bias is None:
            return scores
        own, basis, none = scores.split([len(self.own), self.fc3.in_features, 1], -1)
        others = self.fc3(basis)
        before, after = others[..., : self.own.start], others[..., self.own.start :]
        return torch.cat([before, own, after, none], -1) + self.basis_bias.view(len(self.assignment), -1)
