"""The outline of a frozen model: which layers became ordinary convolutions, whatever numbers they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import nn

from dynaconv.convert.frozen_layers import frozen_linear, outlined
from dynaconv.layers import DCDLinear, DynamicConv, KernelWarehouseLinear
from dynaconv.layers.block_router import remove_routers

__all__ = ["Freezing", "frozen_outline", "put_static"]

_LINEAR = (DCDLinear, KernelWarehouseLinear)


@dataclass(frozen=True)
class Freezing:
    """What `freeze` did to a model's layers.

    Attributes:
        layers: names of those that became ordinary convolutions; an empty one is the model itself.
        biased: names of those of them that have a bias.
    """

    layers: tuple[str, ...]
    biased: tuple[str, ...]


def frozen_outline(model: nn.Module, biased: Collection[str]) -> nn.Module:
    """The static model that `freeze` makes, with fresh numbers.

    Args:
        model: is changed.
        biased: names of the layers that have a bias once they are frozen.
    """
    holder = nn.Sequential(model)
    made: dict[nn.Module, nn.Module] = {}
    names = []
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, DynamicConv):
            names.append(name)
            if module not in made:
                made[module] = outlined(module, name in biased)
    put_static(holder, made)
    static: nn.Module = remove_routers(holder[0])
    done = (*getattr(model, "conversions", ()), Freezing(tuple(names), tuple(n for n in names if n in biased)))
    static.conversions = done  # type: ignore[assignment]  # a module's attributes are typed as tensors and modules
    return static


def put_static(holder: nn.Module, made: Mapping[nn.Module, nn.Module]) -> dict[nn.Module, nn.Module]:
    """Put ordinary layers where the dynamic ones are; returns what took the place of what.

    Args:
        holder: holds the model, and is changed.
        made: the ordinary convolution of every dynamic one.
    """
    places = [(name, module) for name, module in holder.named_modules(remove_duplicate=False)]
    for name, module in places:
        if module in made:
            holder.set_submodule(name, made[module])
    linears: dict[nn.Module, nn.Module] = {m: frozen_linear(m) for _, m in places if isinstance(m, _LINEAR)}
    for name, module in places:
        if module in linears:
            holder.set_submodule(name, linears[module])
    return {**made, **linears}
