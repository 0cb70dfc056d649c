"""Names of modules by pattern."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

__all__ = ["matches"]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern fits a whole name, a part of it between dots, or the name of a module around it.

    Args:
        name: such as `"layer1.0.conv1"`.
        patterns: with `*` and `?` for any characters and any one.

    Example:
        >>> [matches("layer1.0.conv1", [pattern]) for pattern in ("layer1.0", "conv1", "layer?.*", "layer", "conv?")]
        [True, True, True, False, True]
    """
    parts = name.split(".")
    names = {*parts, *(".".join(parts[:count]) for count in range(1, len(parts) + 1))}
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)
