"""Which layers of a model a method replaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from dynaconv.convert.candidates import Candidate, is_shortcut
from dynaconv.convert.patterns import listed, modules_that_fit
from dynaconv.convert.planned import Action
from dynaconv.convert.replace import spec_of_conv
from dynaconv.convert.residual_blocks import residual_stages
from dynaconv.convert.rules import Place, Rule
from dynaconv.errors import ArgumentError

__all__ = ["Choice", "Patterns", "choose"]

Patterns = str | Iterable[str] | None


@dataclass(frozen=True)
class Choice:
    """What the user asked for.

    Attributes:
        include: patterns; these layers, whatever the method leaves out.
        exclude: patterns; these layers are kept.
        kernel_size: only convolutions of this size.
        min_channels: only layers with so many input and output channels.
        stages: only layers in residual blocks of these stages, counted from one.
    """

    include: Patterns = None
    exclude: Patterns = None
    kernel_size: int | Sequence[int] | None = None
    min_channels: int | None = None
    stages: Iterable[int] | None = None


def choose(
    model: nn.Module, found: Sequence[Candidate], rules: Sequence[Rule], choice: Choice
) -> list[tuple[Action, str]]:
    """For every candidate what to do, and why.

    Raises:
        ArgumentError: a pattern of `include` fits no layer, or there is no such stage.
    """
    include = None if choice.include is None else _included(model, found, choice.include)
    exclude = {name for pattern in listed(choice.exclude or ()) for name in modules_that_fit(model, pattern)}
    blocks = None if choice.stages is None else _blocks_of(model, choice.stages)
    decided: list[tuple[Action, str]] = []
    for candidate, place in zip(found, _places(found), strict=True):
        if candidate.problem:
            decided.append(("cannot", candidate.problem))
            continue
        reason = _asked(candidate, place, include, exclude, blocks, choice)
        if include is None and not reason:
            inside = f"part of {candidate.inside}" if candidate.inside else ""
            reason = inside or next(filter(None, (rule(place) for rule in rules)), "")
        decided.append(("keep", reason) if reason else ("replace", ""))
    return decided


def _asked(
    candidate: Candidate,
    place: Place,
    include: set[str] | None,
    exclude: set[str],
    blocks: set[str] | None,
    choice: Choice,
) -> str:
    """Why a layer is not among those that the user asked for; empty if it is."""
    names = set(candidate.names)
    if include is not None and not names & include:
        return "not included"
    if names & exclude:
        return "excluded"
    if blocks is not None and not names & blocks:
        return "in another stage"
    if choice.kernel_size is not None and not _has_size(place, choice.kernel_size):
        return "of another size"
    if choice.min_channels is not None and _channels(candidate.module) < choice.min_channels:
        return f"fewer than {choice.min_channels} channels"
    return ""


def _included(model: nn.Module, found: Sequence[Candidate], patterns: str | Iterable[str]) -> set[str]:
    """Names of the modules that the user wants.

    Raises:
        ArgumentError: a pattern fits no layer.
    """
    layers = {name for candidate in found for name in candidate.names}
    wanted: set[str] = set()
    for pattern in listed(patterns):
        fitting = modules_that_fit(model, pattern)
        if not fitting & layers:
            raise ArgumentError(
                "include", pattern, "a pattern that fits the name of a convolution, or of one around it"
            )
        wanted |= fitting
    return wanted


def _places(found: Sequence[Candidate]) -> list[Place]:
    convs = [c for c in found if not isinstance(c.module, nn.Linear)]
    places = []
    for number, candidate in enumerate(found):
        spec = None
        if not candidate.problem and not isinstance(candidate.module, nn.Linear):
            spec = spec_of_conv(candidate.module)  # type: ignore[arg-type]  # a convolution: nothing stands against it
        places.append(
            Place(
                spec,
                first=len(convs) > 1 and candidate is convs[0],
                last=candidate is found[-1],
                shortcut=any(is_shortcut(name) for name in candidate.names),
                depth=number / len(found),
            )
        )
    return places


def _has_size(place: Place, size: int | Sequence[int]) -> bool:
    if place.spec is None:
        return False
    return place.spec.kernel_size == ((size,) * place.spec.dims if isinstance(size, int) else tuple(size))


def _channels(module: Any) -> int:
    if isinstance(module, nn.Linear):
        return min(module.in_features, module.out_features)
    return int(min(module.in_channels, module.out_channels))


def _blocks_of(model: nn.Module, stages: Iterable[int]) -> set[str]:
    """Names of the modules in the residual blocks of stages."""
    there = residual_stages(model)
    wanted = [*stages]
    for stage in wanted:
        if stage not in range(1, len(there) + 1):
            raise ArgumentError("stages", stage, f"an integer from 1 to {len(there)}, the model's number of stages")
    blocks = [name for stage in wanted for name in there[stage - 1]]
    return {name for block in blocks for name in modules_that_fit(model, block)}
