"""ODConv's four attentions: taps, input channels, output channels, experts."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm, branch_norm
from dynaconv.coefficients.temperature import Temperature
from dynaconv.spec import ConvSpec

__all__ = ["OmniAttention"]


class OmniAttention(nn.Module):
    """`h = ReLU(norm(W g))`, then a linear head for each attention: `σ(·/τ)`, and `softmax(·/τ)` over the experts.

    A head that could only repeat another, or the identity, is left out as published: taps of a kernel with one tap,
    output channels of a depthwise convolution, the experts where there is one.

    Args:
        spec: the convolution's geometry.
        hidden_dim: length of h.
        num_kernels: K.
        temperature: τ.
        norm: of h; see `branch_norm`.
        per_kernel: whether every expert has scales of its own.
        gate: what the scales are about at the start, at τ = 1; above 0 and below 1, one half as published.
        device: where the parameters live.
        dtype: their type.

    Source: Li, Zhou, Yao, Omni-Dimensional Dynamic Convolution, ICLR 2022, 2209.07947, section 3.2.
    """

    def __init__(
        self,
        spec: ConvSpec,
        hidden_dim: int,
        num_kernels: int,
        temperature: float = 1.0,
        norm: BranchNorm = "batch",
        per_kernel: bool = False,
        gate: float = 0.5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        copies = (num_kernels,) if per_kernel and num_kernels > 1 else ()
        self.shapes = {"in_scale": (*copies, spec.in_channels)}
        if not spec.in_channels == spec.out_channels == spec.groups:
            self.shapes["out_scale"] = (*copies, spec.out_channels)
        if spec.taps > 1:
            self.shapes["tap_scale"] = (*copies, *spec.kernel_size)
        if num_kernels > 1:
            self.shapes["mixture"] = (num_kernels,)
        self.hidden = nn.Linear(spec.in_channels, hidden_dim, bias=False, device=device, dtype=dtype)
        self.norm = branch_norm(norm, hidden_dim, device=device, dtype=dtype)
        heads = {
            name: nn.Linear(hidden_dim, torch.Size(shape).numel(), device=device, dtype=dtype)
            for name, shape in self.shapes.items()
        }
        self.heads = nn.ModuleDict(heads)
        self.temperature = Temperature(temperature, device=device)
        for layer in (self.hidden, *heads.values()):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        for name, head in heads.items():
            nn.init.constant_(head.bias, 0.0 if name == "mixture" else log(gate / (1 - gate)))

    def forward(self, context: Tensor) -> dict[str, Tensor]:
        """`context: (B, I)` → `mixture (B, K)`, `in_scale (B, I)` and, as far as there, `out_scale (B, O)` and
        `tap_scale (B, *k)`; a scale of every expert's own has K after B."""
        hidden = self.norm(self.hidden(context)).relu()
        found = {"mixture": context.new_ones(context.shape[0], 1)}
        for name, shape in self.shapes.items():
            scores = self.temperature(self.heads[name](hidden))
            gates = scores.softmax(1) if name == "mixture" else scores.sigmoid()
            found[name] = gates.to(context.dtype).unflatten(1, shape)
        return found
