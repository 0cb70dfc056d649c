"""A factor and a summand per output channel, taken into the layer that makes the channels."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils.parametrize import is_parametrized

from dynaconv.layers import (
    CausalConv1d,
    CondConv1d,
    CondConv2d,
    CondConv3d,
    DCDConv1d,
    DCDConv2d,
    DCDConv3d,
    DepthwiseSeparableConv1d,
    DepthwiseSeparableConv2d,
    DepthwiseSeparableConv3d,
    DyConv1d,
    DyConv2d,
    DyConv3d,
    KernelWeightedConv2d,
    LGCFConv1d,
    LGCFConv2d,
    LGCFConv3d,
    ODConv1d,
    ODConv2d,
    ODConv3d,
    SpatiallySeparableConv2d,
)
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d
from dynaconv.layers.same_padded import SamePadded

__all__ = ["take_in", "why_not"]

_OF_OUTPUTS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    CausalConv1d,
    KernelWeightedConv2d,
    LGCFConv1d,
    LGCFConv2d,
    LGCFConv3d,
    ReceptiveFieldConv2d,
)


def why_not(layer: nn.Module) -> str | None:
    """What stands against `take_in`, or `None`."""
    if isinstance(layer, SamePadded):
        return why_not(layer.conv)
    if isinstance(layer, _ConvTransposeNd) or take_in.dispatch(type(layer)) is take_in.dispatch(object):
        return f"an affine map of {type(layer).__name__}'s outputs cannot be told by its parameters"
    if any(is_parametrized(module) for module in layer.modules()):
        return "its weight is parametrised"
    return None


@singledispatch
def take_in(layer: Any, scale: Tensor, shift: Tensor) -> Tensor | None:
    """Change a layer so that it gives `scale ⊙ y + shift` in place of y, in evaluation mode.

    Args:
        layer: is changed; one that `why_not` has nothing against.
        scale: `(O,)`.
        shift: `(O,)`.

    Returns:
        What is left to be added to the output, for layers whose every summand depends on the input; else `None`.
    """
    raise NotImplementedError(type(layer).__name__)


def _weight_of_outputs(layer: Any, scale: Tensor, shift: Tensor) -> None:
    """A weight `(O, ...)` and a bias `(O,)`."""
    _multiply(layer.weight, scale)
    _affine_bias(layer, scale, shift)


for _of_outputs in _OF_OUTPUTS:
    take_in.register(_of_outputs, _weight_of_outputs)


def _bank_of_sum_one(layer: Any, scale: Tensor, shift: Tensor) -> None:
    """Experts whose shares sum to one: every kernel, every bias."""
    _multiply(layer.bank.data.transpose(0, 1), scale)
    experts = len(layer.bank)
    _affine_bias(
        layer, scale, shift if isinstance(layer, ODConv1d | ODConv2d | ODConv3d) else shift.expand(experts, -1)
    )


for _with_bank in (DyConv1d, DyConv2d, DyConv3d, ODConv1d, ODConv2d, ODConv3d):
    take_in.register(_with_bank, _bank_of_sum_one)


@take_in.register(CondConv1d)
@take_in.register(CondConv2d)
@take_in.register(CondConv3d)
def _(layer: Any, scale: Tensor, shift: Tensor) -> Tensor:
    """Shares that sum to anything: the summand cannot be one of the biases."""
    _multiply(layer.bank.data.transpose(0, 1), scale)
    if layer.bias is not None:
        layer.bias.data.mul_(scale)
    return shift


@take_in.register(DCDConv1d)
@take_in.register(DCDConv2d)
@take_in.register(DCDConv3d)
def _(layer: Any, scale: Tensor, shift: Tensor) -> Tensor:
    """Both terms; Λ scales the bias, so the summand stays outside."""
    for parameter in (layer.weight, layer.p):
        _multiply(parameter, scale)
    if layer.bias is not None:
        layer.bias.data.mul_(scale)
    return shift


@take_in.register(DepthwiseSeparableConv1d)
@take_in.register(DepthwiseSeparableConv2d)
@take_in.register(DepthwiseSeparableConv3d)
def _(layer: Any, scale: Tensor, shift: Tensor) -> Tensor | None:
    return take_in(layer.pointwise, scale, shift)


@take_in.register
def _(layer: SpatiallySeparableConv2d, scale: Tensor, shift: Tensor) -> Tensor | None:
    return take_in(layer.horizontal, scale, shift)


@take_in.register
def _(layer: SamePadded, scale: Tensor, shift: Tensor) -> Tensor | None:
    return take_in(layer.conv, scale, shift)


def _multiply(weight: Tensor, scale: Tensor) -> None:
    """A weight whose first dimension is the outputs, in place."""
    weight.data.mul_(scale.reshape(-1, *(1 for _ in weight.shape[1:])))


def _affine_bias(layer: Any, scale: Tensor, shift: Tensor) -> None:
    """`scale ⊙ bias + shift`, whether or not there is a bias yet."""
    if layer.bias is None:
        layer.bias = nn.Parameter(shift.clone())
    else:
        layer.bias.data.copy_(torch.addcmul(shift, scale, layer.bias.data))
