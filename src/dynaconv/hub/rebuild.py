"""Build a model again from its description."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.convert import Plan, PlannedLayer, convert, fold_batchnorm, frozen_outline
from dynaconv.convert.build import build, check_method_options
from dynaconv.convert.costs import costs_of
from dynaconv.convert.rules import rules_of
from dynaconv.errors import ArgumentError
from dynaconv.hub.config import ModelConfig
from dynaconv.models import create_model

__all__ = ["outline", "own_state", "rebuilt"]

# A frozen model is made dynamic first, and its file does not say how much memory that takes: so many times its own
# numbers, or so many numbers, are believed.
_LARGEST_BANK, _SMALL = 64, 10_000_000


def rebuilt(config: ModelConfig, base: nn.Module | None = None) -> nn.Module:
    """The model of a description, with fresh weights.

    Args:
        config: the description.
        base: the network before its conversions, where `create_model` did not make it; it is not changed.

    Raises:
        ArgumentError: a name or an option is not allowed, or `base` is missing or unasked for.
    """
    if (config.created is None) == (base is None):
        allowed = "the network before its conversions: create_model did not make it" if base is None else "None here"
        raise ArgumentError("base", None if base is None else type(base).__name__, allowed)
    model = create_model(**dict(config.created or {})) if base is None else copy.deepcopy(base)
    for conversion in config.conversions:
        kind = next((kind for kind in _AGAIN if kind in conversion), "method")
        model = _AGAIN[kind](model, conversion)
    return model


def outline(config: ModelConfig, base: nn.Module | None = None) -> dict[str, Tensor]:
    """Names, shapes and types of the tensors of a description's model; no memory is taken for them.

    Args:
        config: the description.
        base: as in `rebuilt`.
    """
    with torch.device("meta"):
        return own_state(rebuilt(config, None if base is None else _without_numbers(base)))


def own_state(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model's state, each once: by its first name where layers share it."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, Tensor):
            found.setdefault(id(tensor), (name, tensor))
    return dict(found.values())


def _converted(model: nn.Module, conversion: Mapping[str, Any]) -> nn.Module:
    """The model with the very layers replaced that were: a method's own rules may change."""
    method, places, options = conversion["method"], conversion["layers"], conversion["options"]
    rules_of(method)
    check_method_options(method, options)
    static = {names[0]: model.get_submodule(names[0]) for names in places}
    made = build(method, static, options)
    costs = costs_of(static, made, {})
    layers, earlier = [], _conversions(model)
    for names in places:
        first = names[0]
        layers.append(PlannedLayer(tuple(names), type(static[first]).__name__, "replace", "", *costs[first]))
        for name in names:
            if name:
                model.set_submodule(name, made[first])
            else:
                model = made[first]
    model.conversions = (*earlier, Plan(method, tuple(layers), dict(options)))  # type: ignore[assignment]  # no tensor
    return model


def _inserted(model: nn.Module, conversion: Mapping[str, Any]) -> nn.Module:
    names = conversion["names"]
    changed = convert(model, attention=conversion["attention"], where=names, **conversion["options"])
    found: Any = changed.conversions
    if list(found[-1].names) != names:
        raise ArgumentError("names", names, "names that fit no other module")
    return changed


def _frozen(model: nn.Module, conversion: Mapping[str, Any]) -> nn.Module:
    before = _count(model)
    made = frozen_outline(model, conversion["biased"])
    _check_same("frozen", conversion["frozen"], list(_conversions(made)[-1].layers))
    if before > max(_SMALL, _LARGEST_BANK * _count(made)):
        allowed = f"a frozen model of at most {_LARGEST_BANK} times as many numbers before it was frozen"
        raise ArgumentError("frozen", f"{before:,} numbers", allowed)
    return made


def _folded(model: nn.Module, conversion: Mapping[str, Any]) -> nn.Module:
    made = fold_batchnorm(model.eval())
    _check_same("folded", conversion["folded"], dict(_conversions(made)[-1].folded))
    return made


# How a conversion is carried out again, by a word of its description.
_AGAIN: Mapping[str, Callable[[nn.Module, Mapping[str, Any]], nn.Module]] = {
    "attention": _inserted,
    "frozen": _frozen,
    "folded": _folded,
    "method": _converted,
}


def _check_same(argument: str, told: object, found: object) -> None:
    if told != found:
        raise ArgumentError(argument, told, f"{found}, as this model has it")


def _count(model: nn.Module) -> int:
    return sum(tensor.numel() for tensor in own_state(model).values())


def _conversions(model: nn.Module) -> tuple[Any, ...]:
    found: Any = getattr(model, "conversions", ())
    return tuple(found)


def _without_numbers(model: nn.Module) -> nn.Module:
    """A copy of a model whose tensors take no memory; those that were shared are."""
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(model, memo)
