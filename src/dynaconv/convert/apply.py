"""Make an existing model dynamic without changing what it computes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from dynaconv.convert.build import build
from dynaconv.convert.hooks import move_hooks, without_hooks
from dynaconv.convert.inherit import start_from
from dynaconv.convert.insert import Where, insert
from dynaconv.convert.plan import plan
from dynaconv.convert.planned import Plan, PlannedLayer
from dynaconv.convert.prove import layer_error, model_error, tolerance
from dynaconv.convert.select import Patterns
from dynaconv.errors import ArgumentError, ConversionError

__all__ = ["convert"]

M = TypeVar("M", bound=nn.Module)


def convert(
    model: M,
    method: str | None = None,
    *,
    inherit: bool = True,
    include: Patterns = None,
    exclude: Patterns = None,
    kernel_size: int | Sequence[int] | None = None,
    min_channels: int | None = None,
    stages: Iterable[int] | None = None,
    example: Any = None,
    attention: str | None = None,
    where: Where = None,
    **options: Any,
) -> M:
    """A copy of a model with its convolutions made by a method, or with attention blocks.

    With `inherit` the copy computes what the model does, to rounding, wherever the method can express a static
    convolution, and training can tell the parts of every layer apart. This is proven before the copy is returned:
    every new layer against the one in whose place it stands, on noise in float64. Methods that cannot express it
    (`dot_product`, involution, receptive-field attention, separable convolutions, fewer kernel cells than blocks)
    start as near as they get; how near stands in the plan.

    Devices, types, training modes, hooks and frozen parameters are kept, and a layer used twice is one layer used
    twice. What was done is in the copy's `conversions`: a `Plan` for each.

    Args:
        model: any; it is not changed.
        method: what convolutions become; see `plan`, like the arguments from `include` to `stages`. Either a method
            or an attention block is given.
        inherit: whether the new layers take over the weights; else they start afresh.
        include: patterns of layers to convert.
        exclude: patterns of layers to keep.
        kernel_size: only convolutions of this size.
        min_channels: only layers with so many channels.
        stages: only layers of these stages.
        example: what the model takes, a tensor or a tuple of arguments: both models are run on it and compared too.
        attention: one of `list_attentions()`; see `where`.
        where: `"blocks"`, in every residual block; `"stages"`, in the last block of every stage; or patterns of the
            modules behind which an attention block is put. By default where the block's paper has it. Inside residual
            blocks it stands after the last normalisation, before the addition.
        **options: the method's or the attention block's.

    Raises:
        ArgumentError: an argument is not allowed, or there is nothing to convert.
        ConversionError: a layer, or the model on `example`, does not compute the same.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3)).eval()
        >>> dynamic, x = convert(model, "odconv"), torch.randn(2, 3, 8, 8)
        >>> torch.allclose(dynamic(x), model(x), atol=1e-5)
        True
    """
    if (method is None) == (attention is None):
        raise ArgumentError("method", method, "a method or attention=..., one of both")
    if attention is not None:
        return insert(model, attention, where, options)
    assert method is not None
    if where is not None:
        raise ArgumentError("where", where, "None, since it says where attention blocks go; layers have include")
    planned = plan(
        model,
        method,
        include,
        exclude,
        kernel_size=kernel_size,
        min_channels=min_channels,
        stages=stages,
        example=example,
        **options,
    )
    if not planned.replaced:
        raise ArgumentError("model", type(model).__name__, f"a model with layers to replace; the plan:\n{planned}")
    converted, done = _replaced(model, planned, inherit)
    if inherit and example is not None:
        _check_model(converted, model, done, example)
    converted.conversions = (*getattr(model, "conversions", ()), done)  # type: ignore[assignment]  # no tensor
    return converted


def _replaced(model: M, planned: Plan, inherit: bool) -> tuple[M, Plan]:
    """The copy, and the plan with the errors that were found."""
    converted = copy.deepcopy(model)
    static = {name: converted.get_submodule(name) for name in planned.replaced}
    made = build(planned.method, static, planned.options)
    done: list[PlannedLayer] = []
    for layer in planned.layers:
        if layer.action != "replace":
            done.append(layer)
            continue
        old, new = static[layer.name], made[layer.name]
        new.train(old.training)
        error = _inherit(new, old, layer.name) if inherit else None
        _keep_manners(new, old)
        for name in layer.names:
            converted = _put(converted, name, new)
        done.append(replace(layer, error=error))
    return converted, replace(planned, layers=tuple(done), inherited=inherit)


def _inherit(new: nn.Module, old: nn.Module, name: str) -> float:
    """Start a layer from the old one; how far they are apart.

    Raises:
        ConversionError: they should be equal and are not.
    """
    plain = without_hooks(old)
    with torch.no_grad():
        exact = start_from(new, plain)
    error, most = layer_error(new, plain), tolerance(next(old.parameters()).dtype)
    if exact and not error <= most:
        raise ConversionError(name, f"differs by {error:.2g} of the output from what it replaces, more than {most:.1g}")
    return error


def _keep_manners(new: nn.Module, old: nn.Module) -> None:
    """Frozen stays frozen, and hooks are called as before."""
    if not any(parameter.requires_grad for parameter in old.parameters()):
        new.requires_grad_(False)
    move_hooks(old, new)


def _put(model: Any, name: str, layer: Any) -> Any:
    """The model with a layer at a place; the layer itself where that is the whole model."""
    if not name:
        return layer
    model.set_submodule(name, layer)
    return model


def _check_model(converted: nn.Module, model: nn.Module, done: Plan, example: Any) -> None:
    """Raise if layers are equal to rounding and models are not, far beyond what rounding adds up to."""
    most = min(100 * tolerance(next(model.parameters()).dtype), 0.5)
    if all(layer.error is None or layer.error <= most for layer in done.layers):
        error = model_error(converted, model, example)
        if not error <= most:
            raise ConversionError("", f"the model's output differs by {error:.2g}, more than {most:.1g}")
