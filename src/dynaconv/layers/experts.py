"""Banks of experts: every one starts as a convolution of its own would; layers that mix them."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor, nn

from dynaconv.kernels import MixtureKernel
from dynaconv.layers.base import DynamicConv
from dynaconv.spec import ConvSpec

__all__ = ["COMMON", "MixedExperts", "expert_bank", "expert_bias"]

# What the experts of a softmax have in common at the start. They still differ enough to part; measured better, with
# normalisation behind the layers, than larger experts that share nothing.
COMMON = 0.9


def expert_bank(
    spec: ConvSpec,
    num_kernels: int,
    start: Callable[[Tensor], object],
    *,
    common: float = 0.0,
    scale: float = 1.0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Parameter:
    """Weights `(K, O, I/g, *k)`.

    Args:
        spec: the geometry.
        num_kernels: K.
        start: fills one expert's weight in place.
        common: the share of the variance that all experts have in common, 0 to 1. The mean of K experts drawn each
            for itself has 1/√K of one expert's standard deviation; with a share in common it is kept, and the bank is
            scaled so that it is kept exactly.
        scale: factor on all of them.
        device: where they live.
        dtype: their type.
    """
    bank = torch.empty(num_kernels, *spec.weight_shape, device=device, dtype=dtype)
    for expert in bank:
        start(expert)
    if common:
        alike = torch.empty_like(bank[0])
        start(alike)
        bank.mul_(sqrt(1 - common)).add_(alike.mul_(sqrt(common)))
        scale /= sqrt(common + (1 - common) / num_kernels)
    return nn.Parameter(bank.mul_(scale))


def expert_bias(
    spec: ConvSpec,
    num_kernels: int,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Parameter:
    """Biases `(K, O)`, each drawn as `nn.Conv2d` draws its own."""
    bound = 1 / sqrt(spec.weight_count / spec.out_channels)
    return nn.Parameter(torch.empty(num_kernels, spec.out_channels, device=device, dtype=dtype).uniform_(-bound, bound))


class MixedExperts(DynamicConv):
    """A layer whose kernel is a mixture of experts, weights and biases alike.

    Attributes:
        bank: `(K, O, I/g, *k)`.
        bias: `(K, O)` or `None`.
    """

    bank: nn.Parameter

    def assemble(self, coefficients: dict[str, Tensor]) -> MixtureKernel:
        """The experts, weights and biases, in the shares `coefficients["mixture"]`, `(B, K)`."""
        return MixtureKernel(self.bank, coefficients["mixture"], bias_bank=self.bias)
