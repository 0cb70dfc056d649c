"""Start a layer from a static convolution, so that it computes the same and training can still tell its parts apart.

For every input the kernel is the static one at the start. What is dynamic is at rest in one of three ways: experts in
pairs with the same share, the static kernel plus and minus a small difference; gates whose last map is zero; a term
whose last factor is zero. Each gets gradients of its own from the first step on.
"""

from __future__ import annotations

from functools import singledispatch
from math import log
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError
from dynaconv.kernels import Kernel
from dynaconv.layers import (
    CondConv1d,
    CondConv2d,
    CondConv3d,
    DCDConv1d,
    DCDConv2d,
    DCDConv3d,
    DCDLinear,
    DyConv1d,
    DyConv2d,
    DyConv3d,
    DynamicConv,
    FDConv2d,
    KernelWarehouseLinear,
    KernelWeightedConv2d,
    LGCFConv1d,
    LGCFConv2d,
    LGCFConv3d,
    ODConv1d,
    ODConv2d,
    ODConv3d,
    SamePadded,
)

__all__ = ["kernel_at_rest", "start_from", "take_over"]

# The difference between the experts of a pair, as a share of the kernel's standard deviation.
_SPREAD = 0.1
# A gate that is nearly one lets a kernel learn about as fast as without it.
_OPEN = 0.9


@singledispatch
def start_from(layer: nn.Module, conv: Any) -> bool:
    """Give a layer the weights of a static one.

    Args:
        layer: is changed.
        conv: an `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d` of the same geometry; an `nn.Linear` for a linear layer.

    Returns:
        Whether both compute the same now; else the layer is as near as it was brought.

    Raises:
        ArgumentError: the layer is of a method that takes over no weights.
    """
    raise ArgumentError("layer", type(layer).__name__, "a layer of a method that can start from a static convolution")


@start_from.register
def _(layer: SamePadded, conv: Any) -> bool:
    return start_from(layer.conv, conv)


@start_from.register(DCDLinear)
@start_from.register(KernelWarehouseLinear)
def _linear(layer: DCDLinear | KernelWarehouseLinear, linear: nn.Linear) -> bool:
    """A linear layer is a convolution of one tap."""
    conv = nn.Conv1d(linear.in_features, linear.out_features, 1, device="meta")
    conv.weight, conv.bias = nn.Parameter(linear.weight.detach().unsqueeze(2)), linear.bias
    return start_from(layer.conv, conv)


@start_from.register(CondConv1d)
@start_from.register(CondConv2d)
@start_from.register(CondConv3d)
def _condconv(layer: CondConv2d, conv: nn.Conv2d) -> bool:
    """`σ(z) + σ(−z) = 1`: the two shares of a pair sum to one, whatever the context; an odd expert has one half."""
    linear, experts = layer.router.linear, layer.bank.shape[0]
    half = experts // 2
    linear.weight.data[half : 2 * half] = -linear.weight.data[:half]
    linear.weight.data[2 * half :] = 0
    nn.init.zeros_(linear.bias)
    layer.bank.data[:] = conv.weight.detach() * (2 / experts)
    take_over(layer.bias, None if conv.bias is None else (conv.bias * (2 / experts)).expand(experts, -1))
    return True


@start_from.register(DyConv1d)
@start_from.register(DyConv2d)
@start_from.register(DyConv3d)
def _dyconv(layer: DyConv2d, conv: nn.Conv2d) -> bool:
    _in_pairs(layer.bank, layer.router.scores, conv.weight)
    take_over(layer.bias, None if conv.bias is None else conv.bias.expand(len(layer.bank), -1))
    return True


@start_from.register(ODConv1d)
@start_from.register(ODConv2d)
@start_from.register(ODConv3d)
def _odconv(layer: ODConv2d, conv: nn.Conv2d) -> bool:
    heads: dict[str, Any] = dict(layer.attention.heads.items())
    mixture = heads.pop("mixture", None)
    for gate in heads.values():
        _zero(gate)
    # Every gate is one half.
    _in_pairs(layer.bank, mixture, conv.weight.detach() * 2.0 ** len(heads))
    take_over(layer.bias, conv.bias)
    return True


@start_from.register
def _(layer: KernelWeightedConv2d, conv: nn.Conv2d) -> bool:
    """Scores in pairs that cancel, and one more for all that holds every gate open."""
    vectors, fc = layer.gate.embedding.data, layer.gate.fc
    half = (vectors.shape[-1] - 1) // 2
    vectors[..., half : 2 * half] = -vectors[..., :half]
    vectors[..., 2 * half :] = 0
    vectors[..., -1] = log(_OPEN / (1 - _OPEN))
    fc.weight.data[half : 2 * half] = fc.weight.data[:half]
    fc.bias.data[half : 2 * half] = fc.bias.data[:half]
    fc.weight.data[-1] = 0
    fc.bias.data[-1] = 1
    layer.weight.data.copy_(conv.weight.detach() / _OPEN)
    take_over(layer.bias, conv.bias)
    return True


@start_from.register(LGCFConv1d)
@start_from.register(LGCFConv2d)
@start_from.register(LGCFConv3d)
def _lgcf(layer: LGCFConv2d, conv: nn.Conv2d) -> bool:
    """The taps weigh one at the start anyway."""
    take_over(layer.weight, conv.weight)
    take_over(layer.bias, conv.bias)
    return True


@start_from.register(DCDConv1d)
@start_from.register(DCDConv2d)
@start_from.register(DCDConv3d)
def _dcd(layer: DCDConv2d, conv: nn.Conv2d) -> bool:
    """Λ is one where its scores are zero, and nothing comes through a P of zeros."""
    nn.init.zeros_(layer.branch.scale.weight)
    nn.init.zeros_(layer.p)
    take_over(layer.weight, conv.weight)
    take_over(layer.bias, conv.bias)
    return True


@start_from.register
def _(layer: FDConv2d, conv: nn.Conv2d) -> bool:
    for head in layer.modulation.heads.values():
        _zero(head)
    if layer.kernels.local is not None:
        nn.init.zeros_(layer.kernels.local)
    if layer.band_gates is not None:
        _zero(layer.band_gates.conv)
    weight = conv.weight.detach()
    layer.kernels.start_from(weight)
    take_over(layer.bias, conv.bias)
    # Gates of another scale than one, and frequencies that are left out: the best factor.
    kernel = kernel_at_rest(layer, weight).dense()[0]
    layer.kernels.spectrum.data.mul_((weight * kernel).sum() / kernel.square().sum().clamp(min=1e-30))
    return layer.kernels.kept is None


def kernel_at_rest(layer: DynamicConv, weight: Tensor) -> Kernel:
    """The kernel of any input, while no coefficient depends on one.

    Args:
        layer: in any mode.
        weight: of the type and on the device of its input.
    """
    training = layer.training
    x = weight.new_zeros(1, layer.spec.in_channels, *(1 for _ in layer.spec.kernel_size))
    with torch.no_grad():
        kernel = layer.eval().assemble(layer.coefficients(x))
    layer.train(training)
    return kernel


def _in_pairs(bank: Tensor, scores: nn.Linear | None, weight: Tensor) -> None:
    """Experts `W + δ` and `W − δ` with the same score: their shares are equal, and all shares sum to one."""
    half = bank.shape[0] // 2
    bank.data[:] = weight.detach()
    if scores is None:
        return
    difference = torch.randn_like(bank.data[:half]) * (_SPREAD * weight.detach().std(correction=0))
    bank.data[:half] += difference
    bank.data[half : 2 * half] -= difference
    for parameter in scores.parameters():
        parameter.data[half : 2 * half] = parameter.data[:half]


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def take_over(parameter: nn.Parameter | None, given: Tensor | None) -> None:
    """Set a parameter to a given one, if there are both."""
    if parameter is not None and given is not None:
        parameter.data.copy_(given.detach())
