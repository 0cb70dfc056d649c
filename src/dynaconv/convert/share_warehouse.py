"""Give layers of a model a kernel warehouse that they share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.kernels import Warehouse
from dynaconv.layers import (
    KernelWarehouseConv1d,
    KernelWarehouseConv2d,
    KernelWarehouseConv3d,
    KernelWarehouseLinear,
)

__all__ = ["share_warehouse"]

_CONVS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: KernelWarehouseConv1d,
    nn.Conv2d: KernelWarehouseConv2d,
    nn.Conv3d: KernelWarehouseConv3d,
}


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
        if type(static.get(name)) not in (*_CONVS, nn.Linear):
            raise ArgumentError("names", name, "the name of a convolution or linear layer")
    like: Any = next(iter(static.values()), None)
    warehouse = Warehouse(
        [_weight_shape(module) for module in static.values()],
        budget=budget,
        cell_ratio=cell_ratio,
        spatial_partition=spatial_partition,
        init=init,
        device=None if like is None else like.weight.device,
        dtype=None if like is None else like.weight.dtype,
    )
    for name, module in static.items():
        model.set_submodule(name, _shared(module, warehouse, options).train(module.training))
    return model


def _weight_shape(module: Any) -> tuple[int, ...]:
    """`(O, I/g, *k)`; a linear layer is a one-dimensional convolution of one tap."""
    return (*module.weight.shape, 1) if isinstance(module, nn.Linear) else tuple(module.weight.shape)


def _shared(module: Any, warehouse: Warehouse, options: dict[str, Any]) -> nn.Module:
    """The layer in a static one's place."""
    bias, weight = module.bias is not None, module.weight
    options = {"warehouse": warehouse, "device": weight.device, "dtype": weight.dtype, **options}
    if isinstance(module, nn.Linear):
        return KernelWarehouseLinear(module.in_features, module.out_features, bias=bias, **options)
    return _CONVS[type(module)](
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        stride=module.stride,
        padding=module.padding,
        dilation=module.dilation,
        groups=module.groups,
        bias=bias,
        padding_mode=module.padding_mode,
        **options,
    )
