"""Convolutions by name."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.layers.causal import CausalConv1d
from dynaconv.layers.condconv import CondConv1d, CondConv2d, CondConv3d
from dynaconv.layers.dcd import DCDConv1d, DCDConv2d, DCDConv3d
from dynaconv.layers.depthwise_separable import (
    DepthwiseSeparableConv1d,
    DepthwiseSeparableConv2d,
    DepthwiseSeparableConv3d,
)
from dynaconv.layers.dot_product import DotProductConv2d
from dynaconv.layers.dyconv import DyConv1d, DyConv2d, DyConv3d
from dynaconv.layers.fc_generated import FCGeneratedConv2d
from dynaconv.layers.fdconv import FDConv2d
from dynaconv.layers.involution import Involution2d
from dynaconv.layers.kernel_warehouse import KernelWarehouseConv1d, KernelWarehouseConv2d, KernelWarehouseConv3d
from dynaconv.layers.kernel_weighted import KernelWeightedConv2d
from dynaconv.layers.lgcf import LGCFConv1d, LGCFConv2d, LGCFConv3d
from dynaconv.layers.odconv import ODConv1d, ODConv2d, ODConv3d
from dynaconv.layers.rfaconv import RFAConv2d, RFCAConv2d, RFCBAMConv2d
from dynaconv.layers.spatially_separable import SpatiallySeparableConv2d
from dynaconv.options import check_options
from dynaconv.spec import Ints, Padding, PaddingMode

__all__ = ["CONVS", "create_conv", "list_convs"]

# The classes of a method by the number of spatial dimensions.
CONVS: Mapping[str, Mapping[int, type[nn.Module]]] = MappingProxyType(
    {
        "static": {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d},
        "kernel_weighted": {2: KernelWeightedConv2d},
        "fc_generated": {2: FCGeneratedConv2d},
        "dot_product": {2: DotProductConv2d},
        "condconv": {1: CondConv1d, 2: CondConv2d, 3: CondConv3d},
        "dyconv": {1: DyConv1d, 2: DyConv2d, 3: DyConv3d},
        "odconv": {1: ODConv1d, 2: ODConv2d, 3: ODConv3d},
        "kernel_warehouse": {1: KernelWarehouseConv1d, 2: KernelWarehouseConv2d, 3: KernelWarehouseConv3d},
        "fdconv": {2: FDConv2d},
        "dcd": {1: DCDConv1d, 2: DCDConv2d, 3: DCDConv3d},
        "lgcf": {1: LGCFConv1d, 2: LGCFConv2d, 3: LGCFConv3d},
        # Compositions of static convolutions that the field compares with.
        "depthwise_separable": {1: DepthwiseSeparableConv1d, 2: DepthwiseSeparableConv2d, 3: DepthwiseSeparableConv3d},
        "spatially_separable": {2: SpatiallySeparableConv2d},
        "causal": {1: CausalConv1d},
        "involution": {2: Involution2d},
        "rfaconv": {2: RFAConv2d},
        "rfcbamconv": {2: RFCBAMConv2d},
        "rfcaconv": {2: RFCAConv2d},
    }
)


def list_convs(dims: int = 2) -> list[str]:
    """The names that `create_conv` takes for so many spatial dimensions."""
    return [name for name, classes in CONVS.items() if dims in classes]


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
    *,
    dims: int = 2,
    **method_options: Any,
) -> nn.Module:
    """A convolution by its method's name.

    Args:
        name: one of `list_convs()`; `"static"` is an `nn.Conv2d`, or its 1-D or 3-D form.
        in_channels: as in `nn.Conv2d`, like all arguments up to `padding_mode`.
        out_channels: see `nn.Conv2d`.
        kernel_size: see `nn.Conv2d`.
        stride: see `nn.Conv2d`.
        padding: see `nn.Conv2d`.
        dilation: see `nn.Conv2d`.
        groups: see `nn.Conv2d`.
        bias: see `nn.Conv2d`.
        padding_mode: see `nn.Conv2d`.
        dims: the number of spatial dimensions, as far as the method has them.
        **method_options: the method's own; see its class.

    Raises:
        ArgumentError: no such method, or an argument or option that the method does not take.

    Example:
        >>> create_conv("dot_product", 16, 32, 3, padding=1, bank_size=8).spec.out_channels
        32
    """
    if name not in CONVS:
        raise ArgumentError("name", name, f"one of {', '.join(CONVS)}")
    if dims not in CONVS[name]:
        raise ArgumentError("dims", dims, f"one of {', '.join(map(str, CONVS[name]))} for {name!r}")
    cls = CONVS[name][dims]
    allowed = [n for n in signature(cls).parameters if n not in signature(create_conv).parameters]
    check_options(name, method_options, allowed)
    geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)
    return cls(*geometry, **method_options)
