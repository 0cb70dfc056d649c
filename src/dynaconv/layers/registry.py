"""Convolutions by name."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.layers.dot_product import DotProductConv2d
from dynaconv.layers.fc_generated import FCGeneratedConv2d
from dynaconv.layers.kernel_weighted import KernelWeightedConv2d
from dynaconv.spec import Ints, Padding, PaddingMode

__all__ = ["CONVS", "create_conv", "list_convs"]

CONVS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {
        "static": nn.Conv2d,
        "kernel_weighted": KernelWeightedConv2d,
        "fc_generated": FCGeneratedConv2d,
        "dot_product": DotProductConv2d,
    }
)


def list_convs() -> list[str]:
    """The names that `create_conv` takes."""
    return list(CONVS)


def create_conv(
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    bias: bool = True,
    padding_mode: PaddingMode = "zeros",
    **method_options: Any,
) -> nn.Module:
    """A 2-D convolution by its method's name.

    Args:
        name: one of `list_convs()`; `"static"` is an `nn.Conv2d`.
        in_channels: as in `nn.Conv2d`, like all arguments up to `padding_mode`.
        out_channels: see `nn.Conv2d`.
        kernel_size: see `nn.Conv2d`.
        stride: see `nn.Conv2d`.
        padding: see `nn.Conv2d`.
        dilation: see `nn.Conv2d`.
        groups: see `nn.Conv2d`.
        bias: see `nn.Conv2d`.
        padding_mode: see `nn.Conv2d`.
        **method_options: the method's own; see its class.

    Raises:
        ArgumentError: no such method, or an argument or option that the method does not take.

    Example:
        >>> create_conv("dot_product", 16, 32, 3, padding=1, bank_size=8).spec.out_channels
        32
    """
    if name not in CONVS:
        raise ArgumentError("name", name, f"one of {', '.join(CONVS)}")
    cls = CONVS[name]
    allowed = [n for n in signature(cls).parameters if n not in signature(create_conv).parameters]
    for option, value in method_options.items():
        if option not in allowed:
            raise ArgumentError(option, value, f"only options that {name!r} has: {', '.join(allowed)}")
    geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)
    return cls(*geometry, **method_options)
