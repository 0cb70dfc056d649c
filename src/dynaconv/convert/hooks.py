"""The hooks of a module, moved or left out."""

from __future__ import annotations

import copy
from collections import OrderedDict

from torch import nn

__all__ = ["move_hooks", "without_hooks"]

_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
)


def move_hooks(old: nn.Module, new: nn.Module) -> None:
    """Have a module called with another's hooks; handles that were returned for them remove them as before."""
    for name in (*_HOOKS, "_is_full_backward_hook"):
        # The dictionaries themselves: a handle knows its hook by them.
        setattr(new, name, getattr(old, name))


def without_hooks(module: nn.Module) -> nn.Module:
    """A copy of a module that calls nothing but its own forward pass."""
    bare = copy.copy(module)
    for name in _HOOKS:
        setattr(bare, name, OrderedDict())
    return copy.deepcopy(bare)
