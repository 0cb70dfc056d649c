"""Give layers of a model a kernel warehouse that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from dynaconv.convert.replace import like
from dynaconv.errors import ArgumentError
from dynaconv.kernels import Warehouse
from dynaconv.layers import (
    KernelWarehouseConv1d,
    KernelWarehouseConv2d,
    KernelWarehouseConv3d,
    KernelWarehouseLinear,
)

__all__ = ["share_warehouse", "shared_layers"]

_CONVS = {1: KernelWarehouseConv1d, 2: KernelWarehouseConv2d, 3: KernelWarehouseConv3d}


def share_warehouse(
    model: nn.Module,
    names: Iterable[str],
    *,
    budget: float = 1.0,
    cell_ratio: float | tuple[float, float] = 1.0,
    spatial_partition: bool = True,
    init: Any = "scaled",
    **options: Any,
) -> nn.Module:
    """Replace convolutions and linear layers by ones that mix their kernels from one warehouse.

    Call it once for every warehouse: layers of one stage belong together. Places in the warehouse are taken in the
    model's order. The model is changed and returned.

    Args:
        model: holds the layers.
        names: as `named_modules` has them; all with the same number of spatial dimensions, linear layers counting as
            one-dimensional.
        budget: see `Warehouse`, like the next three.
        cell_ratio: see `Warehouse`.
        spatial_partition: see `Warehouse`.
        init: see `Warehouse`.
        **options: the layers' other options, see `KernelWarehouseConv2d`.

    Raises:
        ArgumentError: a name is not a convolution's or linear layer's, or an option is not allowed.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.Conv2d(16, 32, 3))
        >>> share_warehouse(model, ["2", "3"], budget=2)[3].warehouse
        Warehouse(cells=(54, 16, 16, 1, 1), budget=2)
    """
    wanted = set(names)
    static = {name: module for name, module in model.named_modules() if name in wanted}
    for name in wanted:
        if type(static.get(name)) not in (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear):
            raise ArgumentError("names", name, "the name of a convolution or linear layer")
    layers = shared_layers(
        static, budget=budget, cell_ratio=cell_ratio, spatial_partition=spatial_partition, init=init, **options
    )
    for name, layer in layers.items():
        model.set_submodule(name, layer.train(static[name].training))
    return model


def shared_layers(
    static: Mapping[str, nn.Module],
    *,
    budget: float = 1.0,
    cell_ratio: float | tuple[float, float] = 1.0,
    spatial_partition: bool = True,
    init: Any = "scaled",
    device: torch.device | str | None = None,
    **options: Any,
) -> dict[str, nn.Module]:
    """Layers with one warehouse, in place of static ones.

    Args:
        static: convolutions and linear layers by name.
        budget: see `share_warehouse`, like the next three.
        cell_ratio: see `Warehouse`.
        spatial_partition: see `Warehouse`.
        init: see `Warehouse`.
        device: where the layers are made; where the first static one is by default.
        **options: the layers' other options.

    Raises:
        ArgumentError: an option is not allowed.
    """
    first: Any = next(iter(static.values()), None)
    where: dict[str, Any] = {
        "device": device if first is None or device is not None else first.weight.device,
        "dtype": None if first is None else first.weight.dtype,
    }
    warehouse = Warehouse(
        [_weight_shape(module) for module in static.values()],
        budget=budget,
        cell_ratio=cell_ratio,
        spatial_partition=spatial_partition,
        init=init,
        **where,
    )
    return {name: _shared(module, warehouse, {**where, **options}) for name, module in static.items()}


def _weight_shape(module: Any) -> tuple[int, ...]:
    """`(O, I/g, *k)`; a linear layer is a one-dimensional convolution of one tap."""
    return (*module.weight.shape, 1) if isinstance(module, nn.Linear) else tuple(module.weight.shape)


def _shared(module: Any, warehouse: Warehouse, options: dict[str, Any]) -> nn.Module:
    """The layer in a static one's place."""
    bias = module.bias is not None
    options = {"warehouse": warehouse, **options}
    if isinstance(module, nn.Linear):
        return KernelWarehouseLinear(module.in_features, module.out_features, bias=bias, **options)
    return like(module, _CONVS[len(module.kernel_size)], **options)
