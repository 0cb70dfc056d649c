"""Mixtures of experts as published, as layers on `mixture_conv`: ODConv, dynamic convolution and CondConv."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.kernels import MixtureKernel
from dynaconv.layers import DynamicConv
from dynaconv.spec import ConvSpec

__all__ = ["CondConv", "DyConv", "ODConv", "Router"]


def _bank(spec: ConvSpec, experts: int) -> nn.Parameter:
    """`(K, O, I/g, *k)`, every expert initialised for itself."""
    bank = torch.empty(experts, *spec.weight_shape)
    for expert in bank:
        nn.init.kaiming_normal_(expert, mode="fan_out", nonlinearity="relu")
    return nn.Parameter(bank)


def _context(x: Tensor) -> Tensor:
    """The global average, `(B, I, *S)` → `(B, I)`."""
    return x.flatten(2).mean(2)


class ODConv(DynamicConv):
    """Omni-dimensional dynamic convolution: attention over taps, input channels, output channels and experts.

    Heads that would be constant are left out, as the authors do: taps of a 1×1 kernel, outputs of a depthwise
    convolution, the mixture of one expert.

    Args:
        spec: the geometry.
        experts: K.

    Source: Li, Zhou, Yao, Omni-Dimensional Dynamic Convolution, ICLR 2022, 2209.07947; temperature 1.
    """

    def __init__(self, spec: ConvSpec, experts: int) -> None:
        super().__init__(spec, bias=False)
        hidden = max(spec.in_channels // 16, 16)
        depthwise = spec.in_channels == spec.out_channels == spec.groups
        self.bank = _bank(spec, experts)
        self.trunk = nn.Sequential(
            nn.Linear(spec.in_channels, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)
        )
        self.in_head = nn.Linear(hidden, spec.in_channels)
        self.out_head = None if depthwise else nn.Linear(hidden, spec.out_channels)
        self.tap_head = nn.Linear(hidden, spec.taps) if spec.taps > 1 else None
        self.mixture_head = nn.Linear(hidden, experts) if experts > 1 else None

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`mixture (B, K)`, `in_scale (B, I)`; where the layer has them `out_scale (B, O)` and `tap_scale (B, *k)`."""
        context = self.trunk(_context(x))
        mixture = x.new_ones(len(x), 1) if self.mixture_head is None else self.mixture_head(context).softmax(1)
        found = {"mixture": mixture, "in_scale": self.in_head(context).sigmoid()}
        if self.out_head is not None:
            found["out_scale"] = self.out_head(context).sigmoid()
        if self.tap_head is not None:
            found["tap_scale"] = self.tap_head(context).sigmoid().view(-1, *self.spec.kernel_size)
        return found

    def assemble(self, coefficients: dict[str, Tensor]) -> MixtureKernel:
        """The bank with its coefficients."""
        return MixtureKernel(self.bank, **coefficients)


class DyConv(DynamicConv):
    """Dynamic convolution: softmax attention over the experts.

    Args:
        spec: the geometry.
        experts: K.

    Source: Chen et al., Dynamic Convolution, CVPR 2020, 1912.03458; temperature 1.
    """

    def __init__(self, spec: ConvSpec, experts: int) -> None:
        super().__init__(spec, bias=False)
        hidden = max(spec.in_channels // 4, 1)
        self.bank = _bank(spec, experts)
        self.attention = nn.Sequential(
            nn.Linear(spec.in_channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, experts, bias=False),
        )

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`mixture (B, K)`."""
        return {"mixture": self.attention(_context(x)).softmax(1)}

    def assemble(self, coefficients: dict[str, Tensor]) -> MixtureKernel:
        """The bank with its mixture."""
        return MixtureKernel(self.bank, coefficients["mixture"])


class Router(nn.Module):
    """The routing of one block: shares of the experts from the block's input, for all convolutions inside.

    Args:
        in_channels: I, of the block's input.
        experts: K.

    Attributes:
        mixture: `(B, K)`, of the block's last input.
    """

    mixture: Tensor

    def __init__(self, in_channels: int, experts: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, experts)

    def forward(self, x: Tensor) -> None:
        """Route for `x: (B, I, *S)`."""
        self.mixture = self.linear(_context(x)).sigmoid()


class CondConv(DynamicConv):
    """Conditionally parameterised convolution: the experts' shares come from its block's router, not normalised.

    Args:
        spec: the geometry.
        experts: K.
        router: has routed before this layer runs.
        bias: whether every expert has a bias.

    Source: Yang, Bender, Le, Ngiam, CondConv, NeurIPS 2019, 1904.04971; one router a block, as its code does.
    """

    def __init__(self, spec: ConvSpec, experts: int, router: Router, *, bias: bool = False) -> None:
        super().__init__(spec, bias=False)
        self.bank = _bank(spec, experts)
        self.bias_bank = nn.Parameter(torch.zeros(experts, spec.out_channels)) if bias else None
        self.router = router

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`mixture (B, K)`."""
        return {"mixture": self.router.mixture}

    def assemble(self, coefficients: dict[str, Tensor]) -> MixtureKernel:
        """The bank with its mixture."""
        return MixtureKernel(self.bank, coefficients["mixture"], bias_bank=self.bias_bank)
