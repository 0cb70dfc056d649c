"""What layers cost before and after a conversion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.parameter import UninitializedParameter

from dynaconv.convert.candidates import is_same_padded
from dynaconv.convert.replace import spec_of_conv
from dynaconv.layers.evaluating import evaluating
from dynaconv.layers.profile import profile

__all__ = ["Cost", "costs_of", "input_shapes", "run"]

Shapes = Mapping[nn.Module, list[tuple[int, ...]]]


@dataclass(frozen=True)
class Cost:
    """Of one layer.

    Attributes:
        parameters: its own; what layers share is counted with the first.
        macs: multiply-adds for one sample, over all its uses; `None` where no input is known.
        assembly: those that make its kernel, which are not in `macs`.
    """

    parameters: int
    macs: int | None = None
    assembly: int | None = None


def run(model: nn.Module, example: Any) -> Any:
    """A model's output on an example, a tensor or a tuple of arguments, in evaluation and without gradients."""
    arguments = example if isinstance(example, tuple) else (example,)
    with evaluating(model), torch.no_grad():
        return model(*arguments)


def input_shapes(model: nn.Module, layers: Iterable[nn.Module], example: Any) -> Shapes:
    """The shapes of one sample, `(C, *S)`, that layers get when a model runs once; a layer's uses one by one."""
    shapes: dict[nn.Module, list[tuple[int, ...]]] = {layer: [] for layer in layers}

    def note(found: list[tuple[int, ...]], _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(tuple(inputs[0].shape[1:]))

    handles = [layer.register_forward_pre_hook(partial(note, found)) for layer, found in shapes.items()]
    try:
        run(model, example)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def costs_of(
    static: Mapping[str, nn.Module], made: Mapping[str, nn.Module], shapes: Shapes
) -> dict[str, tuple[Cost, Cost]]:
    """Costs before and after, by name.

    Args:
        static: the layers before.
        made: those that take the place of some of them, on the meta device.
        shapes: of their inputs, as far as known.
    """
    seen: set[nn.Parameter] = set()
    costs = {}
    for name, module in static.items():
        uses = shapes.get(module)
        macs = None if uses is None else sum(_static_macs(module, shape) for shape in uses)
        before = Cost(_numbers(module.parameters()), macs, None if macs is None else 0)
        costs[name] = (before, _cost(made[name], uses, seen) if name in made else before)
    return costs


def _cost(layer: nn.Module, uses: list[tuple[int, ...]] | None, seen: set[nn.Parameter]) -> Cost:
    own = set(layer.parameters()) - seen
    seen |= own
    parameters = _numbers(own)
    if uses is None:
        return Cost(parameters)
    found = [profile(layer, shape) for shape in uses]
    return Cost(parameters, sum(f.macs for f in found), sum(f.assembly for f in found))


def _numbers(parameters: Iterable[nn.Parameter]) -> int:
    return sum(0 if isinstance(p, UninitializedParameter) else p.numel() for p in parameters)


def _static_macs(module: Any, shape: tuple[int, ...]) -> int:
    if isinstance(module, nn.Linear):
        positions = shape[:-1]
    elif isinstance(module, _ConvTransposeNd):
        positions = shape[1:]
    elif is_same_padded(module):
        positions = tuple(-(-n // s) for n, s in zip(shape[1:], module.stride, strict=True))
    else:
        positions = spec_of_conv(module).output_size(shape[1:])
    return int(module.weight.numel()) * prod(positions)
