"""What each configuration value may be: a predicate and the words that say it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dynaconv.errors import ArgumentError

__all__ = ["Rule", "check_choice", "integer", "number", "one_of", "optional", "text"]


@dataclass(frozen=True)
class Rule:
    """A check of one value.

    Attributes:
        allowed: the end of the sentence "expected ...".
        accepts: whether a value is allowed.
        choices: the words to choose from, if the value is one of a few; a typing error gets a suggestion.
    """

    allowed: str
    accepts: Callable[[object], bool]
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> None:
        """Raises `ArgumentError` unless `value` is allowed."""
        if self.choices:
            check_choice(name, value, self.choices)
        elif not self.accepts(value):
            raise ArgumentError(name, value, self.allowed)


def integer(least: int, most: float = math.inf) -> Rule:
    """A whole number of at least `least`, and at most `most`."""
    words = f"an integer >= {least}" + (f" and <= {most:g}" if most < math.inf else "")
    return Rule(words, lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most)


def number(
    *, above: float | None = None, least: float | None = None, most: float = math.inf, below: float = math.inf
) -> Rule:
    """A finite number within bounds; `above` and `below` are excluded, `least` and `most` included."""
    words = [f"> {above:g}"] if above is not None else [f">= {least:g}"] if least is not None else []
    words += [f"<= {most:g}"] if most < math.inf else [f"< {below:g}"] if below < math.inf else []

    def accepts(value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return False
        return (
            (above is None or value > above) and (least is None or value >= least) and value <= most and value < below
        )

    return Rule(f"a finite number {' and '.join(words)}".strip(), accepts)


def text() -> Rule:
    """A word that is not empty."""
    return Rule("a name", lambda v: isinstance(v, str) and bool(v.strip()))


def one_of(*choices: str) -> Rule:
    """One of a few words."""
    return Rule("", lambda v: v in choices, choices)


def optional(rule: Rule, otherwise: str) -> Rule:
    """`None`, whose meaning `otherwise` tells, or what `rule` allows."""
    return Rule(f"{rule.allowed}, or left out {otherwise}", lambda v: v is None or rule.accepts(v))


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raises `ArgumentError` with a suggestion unless `value` is one of `choices`."""
    known = list(choices)
    if value in known:
        return
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ArgumentError(name, value, f"one of {', '.join(known)}{hint}")
