"""What a layer is frozen into: the convolution that its mean coefficients stand for."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.kernels import Kernel, TapwiseKernel
from dynaconv.layers import DCDLinear, DynamicConv, FDConv2d, KernelWarehouseLinear
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d
from dynaconv.ops.frequency_bands import modulate_bands
from dynaconv.spec import ConvSpec

__all__ = ["frozen", "frozen_linear", "has_bias", "observed", "outlined"]

_CONVS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@singledispatch
def observed(layer: DynamicConv, x: Tensor) -> dict[str, Tensor]:
    """What is averaged over samples: the coefficients, where they differ between positions averaged over those."""
    return _without_positions(layer, layer.coefficients(x))


@observed.register
def _(layer: FDConv2d, x: Tensor) -> dict[str, Tensor]:
    """The coefficients and, for the bands, the products that the nearest factor per channel comes from."""
    found = layer.coefficients(x)
    if "bands" in found:
        weighted = modulate_bands(x, found.pop("bands"), layer.bands, as_published=layer.as_published)
        found |= {"product": (weighted * x).flatten(2).mean(2), "square": x.square().flatten(2).mean(2)}
    return found


@singledispatch
def frozen(layer: DynamicConv, means: dict[str, Tensor]) -> nn.Module:
    """An ordinary convolution in a layer's place.

    Args:
        layer: the dynamic one.
        means: of what `observed` gives, each with a first dimension of one.
    """
    kernel = layer.assemble(_like_parameters(layer, means))
    return _conv(layer.spec, _weight(kernel, layer.spec), _bias(kernel))


@frozen.register
def _(layer: FDConv2d, means: dict[str, Tensor]) -> nn.Module:
    square, product = means.pop("square", None), means.pop("product", None)
    kernel = layer.assemble(_like_parameters(layer, means))
    weight = kernel.dense()[0]
    if square is not None and product is not None:
        factor = torch.where(square > 0, product / square, 1)[0].to(weight.dtype)
        by_group = factor.unflatten(0, (layer.spec.groups, 1, -1, 1, 1))
        weight = (weight.unflatten(0, (layer.spec.groups, -1)) * by_group).flatten(0, 1)
    return _conv(layer.spec, weight, _bias(kernel))


@frozen.register
def _(layer: ReceptiveFieldConv2d, means: dict[str, Tensor]) -> nn.Module:
    """The field's convolution, its normalisation and ReLU, then a 1×1 convolution."""
    kernel = layer.assemble(_like_parameters(layer, means))
    field = _conv(layer.of_field, layer.field_weight.detach(), None)
    on_field = _conv(layer.on_field, _weight(kernel, layer.on_field), _bias(kernel))
    return nn.Sequential(field, layer.field_norm, nn.ReLU(), on_field)


@singledispatch
def outlined(layer: DynamicConv, bias: bool) -> nn.Module:
    """What `frozen` makes of a layer, with fresh numbers.

    Args:
        layer: the dynamic one.
        bias: whether the frozen one has a bias.
    """
    return _outlined_conv(layer.spec, bias)


@outlined.register
def _(layer: ReceptiveFieldConv2d, bias: bool) -> nn.Module:
    return nn.Sequential(
        _outlined_conv(layer.of_field, False), layer.field_norm, nn.ReLU(), _outlined_conv(layer.on_field, bias)
    )


def has_bias(made: Any) -> bool:
    """Whether what `frozen` made adds a bias."""
    return (made[-1] if isinstance(made, nn.Sequential) else made).bias is not None


def frozen_linear(layer: DCDLinear | KernelWarehouseLinear) -> nn.Linear:
    """A linear layer in the place of one whose convolution is frozen already."""
    conv: Any = layer.conv
    made: nn.Linear = nn.utils.skip_init(nn.Linear, layer.in_features, layer.out_features, bias=conv.bias is not None)
    made.weight = nn.Parameter(conv.weight.detach().squeeze(2))
    if conv.bias is not None:
        made.bias = nn.Parameter(conv.bias.detach())
    return made


def _without_positions(layer: DynamicConv, coefficients: dict[str, Tensor]) -> dict[str, Tensor]:
    """Taps of every position, `(B, G, T, *S_out)`, averaged to `(B, G, T, 1, ...)`."""
    rank = 3 + layer.spec.dims
    positions = tuple(range(3, rank))
    return {
        name: value.mean(positions, keepdim=True) if name == "taps" and value.dim() == rank else value
        for name, value in coefficients.items()
    }


def _like_parameters(layer: nn.Module, means: dict[str, Tensor]) -> dict[str, Tensor]:
    dtype = next(layer.parameters()).dtype
    return {name: value.to(dtype) for name, value in means.items()}


def _weight(kernel: Kernel, spec: ConvSpec) -> Tensor:
    """The one kernel there is: `(O, I/g, *k)`."""
    weight = kernel.dense(spec.groups) if isinstance(kernel, TapwiseKernel) else kernel.dense()
    return weight.reshape(spec.weight_shape)


def _bias(kernel: Kernel) -> Tensor | None:
    bias: Tensor | None = kernel.bias() if callable(kernel.bias) else kernel.bias
    return None if bias is None else bias.reshape(-1)


def _conv(spec: ConvSpec, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """An ordinary convolution with these numbers."""
    conv: nn.Module = nn.utils.skip_init(_CONVS[spec.dims], **_arguments(spec, bias is not None))
    conv.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone())
    return conv


def _outlined_conv(spec: ConvSpec, bias: bool) -> nn.Module:
    conv: nn.Module = _CONVS[spec.dims](**_arguments(spec, bias))
    return conv


def _arguments(spec: ConvSpec, bias: bool) -> dict[str, Any]:
    """An ordinary convolution's."""
    symmetric = all(before == after for before, after in spec.pads)
    return {
        "in_channels": spec.in_channels,
        "out_channels": spec.out_channels,
        "kernel_size": spec.kernel_size,
        "stride": spec.stride,
        # Pads that differ come from "same" alone.
        "padding": tuple(before for before, _ in spec.pads) if symmetric else "same",
        "dilation": spec.dilation,
        "groups": spec.groups,
        "bias": bias,
        "padding_mode": spec.padding_mode,
    }
