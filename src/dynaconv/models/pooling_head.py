"""Give a network another pooling of its last map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError
from dynaconv.layers.evaluating import evaluating
from dynaconv.pooling import create_pooling

__all__ = ["with_pooling"]

# Large enough that every network's last map has several positions.
_SIDE = 96


@dataclass(frozen=True)
class _Call:
    """What one module was given and what it made."""

    name: str
    given: Tensor
    made: Tensor


def with_pooling(model: nn.Module, pooling: str, in_channels: int = 3, **options: Any) -> nn.Module:
    """Put a pooling head where a network pools its last map, and fit the classifier to it.

    A network whose pooling is a module gets the head in its place; one that averages inside its forward pass gets the
    head behind the module that makes the last map. The linear layer that reads the pooled numbers is made anew where
    the head makes another number of them.

    Args:
        model: is changed, and returned.
        pooling: one of `list_poolings()`.
        in_channels: channels of its images.
        **options: the head's.

    Raises:
        ArgumentError: no such head, or the network has no place for it.
    """
    calls = _calls(model, in_channels)
    first_vector = len(calls) - next((n for n, call in enumerate(reversed(calls)) if _is_map(call.made)), len(calls))
    if not first_vector:
        raise _no_place(model, pooling)
    last_map = calls[first_vector - 1]
    channels = last_map.made.shape[1]
    head = create_pooling(pooling, channels, **options)
    first = next(model.parameters())
    head.to(first.device, first.dtype)
    reader = next((c for c in calls[first_vector:] if isinstance(model.get_submodule(c.name), nn.Linear)), None)
    if reader is None or reader.given.shape[1:] != (channels,):
        raise _no_place(model, pooling)
    pools = [c for c in calls[first_vector:] if _is_map(c.given) and not reader.name.startswith(f"{c.name}.")]
    place, as_map = pools[-1] if pools else last_map, nn.Unflatten(1, (-1, 1, 1))
    forms = [head, nn.Sequential(head, as_map)]
    if not pools:
        forms = [nn.Sequential(model.get_submodule(place.name), head, as_map)]
    _fit_reader(model, reader.name, head.out_features)
    for form in forms:
        model.set_submodule(place.name, form)
        if _is_read(model, head, reader.name, in_channels):
            return model
    raise _no_place(model, pooling)


def _fit_reader(model: nn.Module, name: str, features: int) -> None:
    old: Any = model.get_submodule(name)
    if old.in_features != features:
        where = {"device": old.weight.device, "dtype": old.weight.dtype}
        model.set_submodule(name, nn.Linear(features, old.out_features, old.bias is not None, **where))


def _is_read(model: nn.Module, head: nn.Module, reader: str, in_channels: int) -> bool:
    """Whether what the classifier reads is what the head makes."""
    try:
        calls = {id(model.get_submodule(call.name)): call for call in _calls(model, in_channels)}
    except (RuntimeError, ValueError):
        return False
    made, read = calls[id(head)].made, calls[id(model.get_submodule(reader))].given
    return made.shape == read.shape and (made.is_meta or torch.equal(made, read))


def _calls(model: nn.Module, in_channels: int) -> list[_Call]:
    """What the modules of a network do to one image, in the order in which they are done."""
    calls: list[_Call] = []

    def note(name: str, module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        if given and isinstance(given[0], Tensor) and isinstance(made, Tensor):
            # What is small is copied: it may be rectified in place.
            calls.append(_Call(name, given[0], made if _is_map(made) else made.clone()))

    named = [(name, module) for name, module in model.named_modules() if name]
    handles = [module.register_forward_hook(partial(note, name)) for name, module in named]
    first = next(model.parameters())
    x = torch.rand(1, in_channels, _SIDE, _SIDE, device=first.device, dtype=first.dtype)
    try:
        with evaluating(model), torch.no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _is_map(x: Tensor) -> bool:
    return x.dim() == 4 and prod(x.shape[2:]) > 1


def _no_place(model: nn.Module, pooling: str) -> ArgumentError:
    allowed = f"None: {type(model).__name__} does not pool one map to what a linear layer reads"
    return ArgumentError("pooling", pooling, allowed)
