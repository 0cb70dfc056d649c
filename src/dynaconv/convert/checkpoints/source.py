"""Whose checkpoints can be read, and how their names become ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor, nn

__all__ = ["Source", "State", "changed"]

State = dict[str, Tensor]


@dataclass(frozen=True)
class Source:
    """A repository whose checkpoints can be read.

    Attributes:
        name: `owner/repository`.
        rename: makes of the authors' state dict (plain tensors, without `module.` prefixes or wrapping dictionaries)
            one of the given model or single layer. It renames and reshapes what it knows and passes on the rest, so
            that what does not fit is reported by its name.
    """

    name: str
    rename: Callable[[State, nn.Module], State]


def changed(key: str, changes: Iterable[tuple[str, str]]) -> str:
    """A tensor's name after some changes, one after the other, of (regular expression, what takes its place)."""
    for pattern, ours in changes:
        key = re.sub(pattern, ours, key)
    return key
