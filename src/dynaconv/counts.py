"""Numbers of things that arguments ask for: checked, and the width of a bottleneck."""

from __future__ import annotations

from dynaconv.errors import ArgumentError

__all__ = ["check_count", "hidden_channels"]


def check_count(argument: str, value: int) -> int:
    """`value` if it is an integer >= 1.

    Raises:
        ArgumentError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArgumentError(argument, value, "an integer >= 1")
    return value


def hidden_channels(channels: int, reduction: int, min_hidden: int) -> int:
    """Width of a bottleneck: `channels // reduction`, rounded down, but at least `min_hidden`.

    Raises:
        ArgumentError: an argument is not an integer >= 1.
    """
    least = check_count("min_hidden", min_hidden)
    return max(check_count("channels", channels) // check_count("reduction", reduction), least)
