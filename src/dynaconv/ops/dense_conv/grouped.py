"""`dense_conv` as one grouped convolution: every sample is a group of channels of a single large sample."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dynaconv.ops.static_conv import static_conv, static_input_gradient, static_weight_gradient
from dynaconv.spec import ConvSpec

__all__ = ["forward", "input_gradient", "weight_gradient"]


def forward(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """One convolution with B·g groups: `x (B, I, *S)`, `weight (B, O, I/g, *k)` → `(B, O, *S_out)`."""
    batch = x.shape[0]
    if batch == 0:
        # A convolution has at least one group: the sum over no kernels is a zero kernel with every gradient's path.
        return static_conv(x, weight.sum(0), None, spec)
    y = static_conv(_side_by_side(x), weight.flatten(0, 1), None, spec, groups=batch * spec.groups)
    return y.reshape(batch, spec.out_channels, *y.shape[2:])


def input_gradient(gradient: Tensor, weight: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """The gradient of `x`, `(B, I, *S)`, from `gradient (B, O, *S_out)`."""
    batch, channels, *rest = size
    side_by_side = (1, batch * channels, *rest)
    groups = batch * spec.groups
    found = static_input_gradient(_side_by_side(gradient), weight.flatten(0, 1), side_by_side, spec, groups=groups)
    return found.reshape(batch, channels, *rest)


def weight_gradient(gradient: Tensor, x: Tensor, spec: ConvSpec) -> Tensor:
    """The gradient of the weight, `(B, O, I/g, *k)`, from `gradient (B, O, *S_out)`."""
    batch = x.shape[0]
    shape = (batch * spec.out_channels, *spec.weight_shape[1:])
    groups = batch * spec.groups
    found = static_weight_gradient(_side_by_side(gradient), _side_by_side(x), shape, spec, groups=groups)
    return found.reshape(batch, *spec.weight_shape)


def _side_by_side(maps: Tensor) -> Tensor:
    """`(B, C, *S)` → `(1, B·C, *S)`."""
    return maps.reshape(1, maps.shape[0] * maps.shape[1], *maps.shape[2:])
