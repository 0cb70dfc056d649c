"""Routers: how much of each expert a sample gets."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from dynaconv.coefficients.temperature import Temperature

__all__ = ["SigmoidRouter", "SoftmaxRouter"]


class SigmoidRouter(nn.Module):
    """`π_b = σ(R g_b + r)`: shares between 0 and 1 that need not sum to one.

    Args:
        context_dim: D, length of the context g.
        num_kernels: K.
        share: what every share is about at the start, above 0 and below 1; one half is `nn.Linear`'s own start, others
            move r.
        device: where the parameters live.
        dtype: their type.

    Source: Yang, Bender, Le, Ngiam, CondConv, NeurIPS 2019, 1904.04971, section 3.
    """

    def __init__(
        self,
        context_dim: int,
        num_kernels: int,
        share: float = 0.5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(context_dim, num_kernels, device=device, dtype=dtype)
        with torch.no_grad():
            self.linear.bias.add_(log(share / (1 - share)))

    def forward(self, context: Tensor) -> Tensor:
        """`context: (B, D)` → `(B, K)`."""
        shares: Tensor = self.linear(context).sigmoid()
        return shares


class SoftmaxRouter(nn.Module):
    """`π_b = softmax((W₂ ReLU(W₁ g_b)) / τ)`: shares that sum to one.

    Args:
        context_dim: D, length of the context g.
        hidden_dim: width between the two layers.
        num_kernels: K.
        temperature: τ; near one-hot shares leave most experts untrained, so it should start high.
        bias: whether the second layer has a bias; it starts at zero.
        device: where the parameters live.
        dtype: their type.

    Source: Chen et al., Dynamic Convolution, CVPR 2020, 1912.03458, section 3.
    """

    def __init__(
        self,
        context_dim: int,
        hidden_dim: int,
        num_kernels: int,
        temperature: float = 1.0,
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(context_dim, hidden_dim, bias=False, device=device, dtype=dtype)
        self.scores = nn.Linear(hidden_dim, num_kernels, bias=bias, device=device, dtype=dtype)
        self.temperature = Temperature(temperature, device=device)
        for layer in (self.hidden, self.scores):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if bias:
            nn.init.zeros_(self.scores.bias)

    def forward(self, context: Tensor) -> Tensor:
        """`context: (B, D)` → `(B, K)`."""
        scores = self.scores(self.hidden(context).relu())
        shares: Tensor = self.temperature(scores).softmax(1).to(context.dtype)
        return shares
