"""FDConv's coefficients: gates of frequency groups, taps and channels, and the context of the local factors."""

from __future__ import annotations

from math import log2
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm, branch_norm
from dynaconv.coefficients.temperature import Temperature

__all__ = ["GateActivation", "KernelModulation", "LocalModulation", "gates_of", "local_width"]

GateActivation = Literal["sigmoid", "tanh", "softmax"]


def gates_of(scores: Tensor, activation: GateActivation, scale: float = 2.0) -> Tensor:
    """Gates that are one at zero (sigmoid: half the scale) or, for softmax, on average."""
    if activation == "tanh":
        return scores.tanh() + 1
    if activation == "softmax":
        return scores.softmax(1) * scores.shape[1]
    return scores.sigmoid() * scale


class KernelModulation(nn.Module):
    """Global kernel modulation: `h = StarReLU(norm(A c))`, then a linear map and an activation for every kind of gate.

    StarReLU is `s ReLU(u)² + b` with learnt numbers s and b. All maps start so small that all gates are one.

    Args:
        in_channels: I, length of the context.
        hidden_dim: length of h.
        gates: how many there are of each kind, by name; `"kernels"` has its own temperature, and keeps scale 2.
        norm: see `branch_norm`.
        activation: `"sigmoid"`, `"tanh"` or `"softmax"`.
        scale: factor of the sigmoid.
        temperature: divides scores.
        kernel_temperature: divides the scores of `"kernels"`.
        device: where the parameters live.
        dtype: their type.

    Source: kernel spatial modulation, Chen et al., Frequency Dynamic Convolution, CVPR 2025, 2503.18783.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_dim: int,
        gates: dict[str, int],
        *,
        norm: BranchNorm = "batch",
        activation: GateActivation = "sigmoid",
        scale: float = 2.0,
        temperature: float = 1.0,
        kernel_temperature: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.scale = activation, scale
        self.squeeze = nn.Linear(in_channels, hidden_dim, bias=False, device=device, dtype=dtype)
        nn.init.kaiming_normal_(self.squeeze.weight, mode="fan_out", nonlinearity="relu")
        self.norm = branch_norm(norm, hidden_dim, device=device, dtype=dtype)
        self.star_scale = nn.Parameter(torch.ones((), device=device, dtype=dtype))
        self.star_bias = nn.Parameter(torch.zeros((), device=device, dtype=dtype))
        heads = {name: nn.Linear(hidden_dim, count, device=device, dtype=dtype) for name, count in gates.items()}
        self.heads = nn.ModuleDict(heads)
        for head in heads.values():
            nn.init.normal_(head.weight, std=1e-6)
            nn.init.zeros_(head.bias)
        self.temperature = Temperature(temperature, device=device)
        self.kernel_temperature = Temperature(kernel_temperature, device=device)

    def forward(self, context: Tensor) -> dict[str, Tensor]:
        """`context: (B, I)` → every kind of gate, `(B, count)`."""
        hidden = self.star_scale * self.norm(self.squeeze(context)).relu() ** 2 + self.star_bias
        found = {}
        for name, head in self.heads.items():
            temperature, scale = (self.kernel_temperature, 2.0) if name == "kernels" else (self.temperature, self.scale)
            scores = head(hidden)
            found[name] = gates_of(temperature(scores), self.activation, scale).to(scores.dtype)
        return found


def local_width(channels: int) -> int:
    """The odd width, growing with the logarithm of the channels, of a neighbourhood of channels."""
    return round(log2(channels) / 2 + 0.5) // 2 * 2 + 1


class LocalModulation(nn.Module):
    """The context of the local factors: for every channel the normalised averages of the channels around it.

    Args:
        in_channels: I.
        device: where the parameters live.
        dtype: their type.

    Source: kernel spatial modulation, Chen et al., Frequency Dynamic Convolution, CVPR 2025, 2503.18783.
    """

    def __init__(
        self, in_channels: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.width = local_width(in_channels)
        self.norm = nn.LayerNorm(in_channels, device=device, dtype=dtype)

    def forward(self, context: Tensor) -> Tensor:
        """`context: (B, I)` → `(B, I, C)` with C = `width`, zeros beyond the first and the last channel."""
        padded = F.pad(self.norm(context), (self.width // 2, self.width // 2))
        return torch.stack([padded.narrow(1, c, context.shape[1]) for c in range(self.width)], dim=2)
