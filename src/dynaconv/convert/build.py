"""The layers that take the place of static ones, with fresh weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from inspect import signature
from math import prod
from typing import Any

import torch
from torch import nn

from dynaconv.convert.candidates import is_same_padded
from dynaconv.convert.replace import like
from dynaconv.convert.share_warehouse import shared_layers
from dynaconv.errors import ArgumentError
from dynaconv.layers import DCDLinear, KernelWarehouseLinear, SamePadded
from dynaconv.layers.registry import CONVS
from dynaconv.options import check_options

__all__ = ["LINEAR", "SHARED", "build", "check_method_options"]

# The methods that have a form for linear layers.
LINEAR: Mapping[str, type[nn.Module]] = {"dcd": DCDLinear, "kernel_warehouse": KernelWarehouseLinear}
# The method whose layers have parameters in common.
SHARED = "kernel_warehouse"
_GIVEN_BY_THE_MODEL = {"router", "warehouse"}


def check_method_options(method: str, options: Mapping[str, Any]) -> None:
    """Raise unless a method takes all options.

    Raises:
        ArgumentError: naming the option.
    """
    own = next(iter(CONVS[method].values()))
    allowed = {*signature(own).parameters} - {*signature(nn.Conv2d).parameters} - _GIVEN_BY_THE_MODEL
    check_options(method, options, sorted(allowed))


def build(
    method: str, static: Mapping[str, nn.Module], options: Mapping[str, Any], device: torch.device | str | None = None
) -> dict[str, nn.Module]:
    """A layer of a method for every static one.

    KernelWarehouse layers whose kernels have the same channels mix from one warehouse.

    Args:
        method: one of `list_convs()`.
        static: convolutions and linear layers by name.
        options: the method's.
        device: where the layers are made; where each static one is by default.

    Raises:
        ArgumentError: the method cannot take a layer's place, or an option is not allowed.
    """
    if method == SHARED:
        return _with_warehouses(static, options, device)
    return {name: _layer(method, module, options, device) for name, module in static.items()}


def _layer(method: str, module: Any, options: Mapping[str, Any], device: torch.device | str | None) -> nn.Module:
    where = {"device": module.weight.device if device is None else device, "dtype": module.weight.dtype}
    if isinstance(module, nn.Linear):
        cls: Any = LINEAR[method]
        taken = {name: value for name, value in options.items() if name in signature(cls).parameters}
        layer: nn.Module = cls(module.in_features, module.out_features, module.bias is not None, **where, **taken)
        return layer
    dims = len(module.kernel_size)
    if dims not in CONVS[method]:
        raise ArgumentError("method", method, f"one that has a {dims}-d form")
    if method == "fc_generated":
        # With as many numbers for a slice as it has taps, any kernel can be generated.
        taps = prod(module.kernel_size)
        options = {"embedding_dim": max(9, taps), "hidden_dim": max(100, taps), **options}
    made = like(module, partial(CONVS[method][dims], **where), **options)
    return SamePadded(made) if is_same_padded(module) else made


def _with_warehouses(
    static: Mapping[str, nn.Module], options: Mapping[str, Any], device: torch.device | str | None
) -> dict[str, nn.Module]:
    groups: dict[Any, dict[str, Any]] = defaultdict(dict)
    for name, module in static.items():
        weight: Any = module.weight
        # Cells of all taps fit kernels of one size alone.
        shape = weight.shape[:2] if options.get("spatial_partition", True) else weight.shape
        groups[isinstance(module, nn.Linear), weight.dim(), shape, weight.device, weight.dtype][name] = module
    made: dict[str, nn.Module] = {}
    for group in groups.values():
        layers = shared_layers(group, device=device, **options)
        made.update({n: SamePadded(layer) if is_same_padded(group[n]) else layer for n, layer in layers.items()})
    return {name: made[name] for name in static}
