"""Options of something that is asked for by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dynaconv.errors import ArgumentError

__all__ = ["check_options"]


def check_options(name: str, options: Mapping[str, object], allowed: Collection[str]) -> None:
    """Raise unless all options are among those that `name` has.

    Raises:
        ArgumentError: naming the option and those there are.
    """
    takes = f"only options that {name!r} has: {', '.join(allowed)}" if allowed else f"no options, {name!r} has none"
    for option, value in options.items():
        if option not in allowed:
            raise ArgumentError(option, value, takes)
