"""Modules of a model by pattern."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

__all__ = ["listed", "modules_that_fit"]


def modules_that_fit(model: nn.Module, pattern: str) -> set[str]:
    """All names of a model's modules that a pattern fits, with those of the modules inside them.

    Args:
        model: any.
        pattern: a module's whole name. Where none has it, a single part of names (`"downsample"`), or either with `*`
            and `?` for any characters and any one.

    Example:
        >>> block = nn.ModuleDict({"conv1": nn.Conv2d(3, 3, 1), "bn1": nn.BatchNorm2d(3)})
        >>> model = nn.ModuleDict({"conv1": nn.Conv2d(3, 3, 1), "layer1": block})
        >>> [sorted(modules_that_fit(model, pattern)) for pattern in ("conv1", "*.conv1", "bn?")]
        [['conv1'], ['layer1.conv1'], ['layer1.bn1']]
    """
    names = [name for name, _ in model.named_modules(remove_duplicate=False)]
    if pattern in names:
        hits = {pattern}
    else:
        hits = {name for name in names if fnmatchcase(name, pattern) or fnmatchcase(name.rpartition(".")[2], pattern)}
    return {name for name in names if any(name == hit or name.startswith(f"{hit}.") for hit in hits)}


def listed(patterns: str | Iterable[str]) -> list[str]:
    """One pattern or several as a list."""
    return [patterns] if isinstance(patterns, str) else [*patterns]
