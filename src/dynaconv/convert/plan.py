"""Say what a conversion would do, layer by layer, before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from dynaconv.convert.build import LINEAR, SHARED, build, check_method_options
from dynaconv.convert.candidates import candidates
from dynaconv.convert.costs import costs_of, input_shapes
from dynaconv.convert.planned import Plan, PlannedLayer
from dynaconv.convert.rules import rules_of
from dynaconv.convert.select import Choice, Patterns, choose
from dynaconv.errors import ArgumentError

__all__ = ["plan"]


def plan(
    model: nn.Module,
    method: str,
    include: Patterns = None,
    exclude: Patterns = None,
    *,
    kernel_size: int | Sequence[int] | None = None,
    min_channels: int | None = None,
    stages: Iterable[int] | None = None,
    example: Any = None,
    **options: Any,
) -> Plan:
    """What `convert` would do: every convolution, whether it is replaced, kept or cannot be, and why.

    Without `include`, each method leaves out what its paper leaves out: the stem, for most the projections of
    shortcuts, and what the method has nothing to say about; and what is inside attention blocks and dynamic layers.

    A pattern is the whole name of a layer or of a module around it; where none has that name, the last part of names
    (`"downsample"`); or either with `*` and `?`.

    Args:
        model: any; it is not changed.
        method: one of `list_convs()` but `"static"` and `"causal"`.
        include: patterns; these layers and no others, whatever the method leaves out.
        exclude: patterns; these layers are kept.
        kernel_size: only convolutions of this size.
        min_channels: only layers with so many input and output channels.
        stages: only layers inside residual blocks of these stages, counted from one.
        example: what the model takes, a tensor or a tuple of arguments: the model is run on it, and multiply-adds are
            counted for one sample.
        **options: the method's.

    Raises:
        ArgumentError: an argument is not allowed, or a pattern of `include` fits no layer.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3))
        >>> print(plan(model, "odconv", num_kernels=1))
        layer  kind    action   why       parameters  after
        0      Conv2d  keep     the stem         448    448
        2      Conv2d  replace                 2,320  3,305
        odconv: 1 of 2 layers replaced; all together 2,768 → 3,753 parameters
    """
    rules = rules_of(method)
    check_method_options(method, options)
    found = [c for c in candidates(model) if method in LINEAR or not isinstance(c.module, nn.Linear)]
    decided = choose(model, found, rules, Choice(include, exclude, kernel_size, min_channels, stages))
    replaced = {c.names[0]: c.module for c, (action, _) in zip(found, decided, strict=True) if action == "replace"}
    made, problems = _on_meta(method, replaced, options)
    shapes = {} if example is None else input_shapes(model, [c.module for c in found], example)
    costs = costs_of({c.names[0]: c.module for c in found}, made, shapes)
    layers = []
    for candidate, (action, reason) in zip(found, decided, strict=True):
        name = candidate.names[0]
        if name in problems:
            action, reason = "cannot", problems[name]
        layers.append(PlannedLayer(candidate.names, type(candidate.module).__name__, action, reason, *costs[name]))
    return Plan(method, tuple(layers), dict(options))


def _on_meta(
    method: str, static: Mapping[str, nn.Module], options: Mapping[str, Any]
) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """The new layers without memory for their weights; and why some cannot be made.

    Raises:
        ArgumentError: an option is such that none can.
    """
    made: dict[str, nn.Module] = {}
    problems: dict[str, str] = {}
    wrong: ArgumentError | None = None
    for name, module in static.items():
        try:
            made |= build(method, {name: module}, options, device="meta")
        except ArgumentError as error:
            problems[name] = str(error)
            wrong = error if error.argument in options else wrong
    if wrong is not None and len(problems) == len(static):
        raise wrong
    if method == SHARED:
        made = build(method, {name: static[name] for name in made}, options, device="meta")
    return made, problems
