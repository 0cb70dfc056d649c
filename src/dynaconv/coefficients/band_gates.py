"""A map of gates for every frequency band of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients.kernel_modulation import GateActivation, gates_of

__all__ = ["BandGates"]


class BandGates(nn.Module):
    """One convolution over the input gives every band a gate at every position; all start at one.

    Args:
        in_channels: I.
        bands: J.
        groups: G; so many groups of channels have gates of their own.
        kernel_size: of the convolution, odd.
        activation: `"sigmoid"`, `"tanh"`, or `"softmax"` over the groups.
        device: where the parameters live.
        dtype: their type.
        conv: makes the convolution, from the arguments of `nn.Conv2d`.

    Source: frequency band modulation, Chen et al., Frequency Dynamic Convolution, CVPR 2025, 2503.18783.
    """

    def __init__(
        self,
        in_channels: int,
        bands: int,
        *,
        groups: int = 1,
        kernel_size: int = 3,
        activation: GateActivation = "sigmoid",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        conv: type[nn.Conv2d] = nn.Conv2d,
    ) -> None:
        super().__init__()
        self.groups, self.activation = groups, activation
        maps, padding = groups * bands, kernel_size // 2
        self.conv = conv(in_channels, maps, kernel_size, padding=padding, groups=groups, device=device, dtype=dtype)
        assert self.conv.bias is not None
        nn.init.normal_(self.conv.weight, std=1e-6)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, H, W)` → `(B, G, J, H, W)`."""
        return gates_of(self.conv(x).unflatten(1, (self.groups, -1)), self.activation)
