"""Which algorithm runs: the one asked for by name, else the operator's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from dynaconv.errors import ArgumentError

__all__ = ["choose"]

Algorithm = TypeVar("Algorithm")


def choose(algorithm: str, algorithms: Mapping[str, Algorithm], default: str) -> Algorithm:
    """The algorithm called `algorithm`, or `default` for `"auto"`.

    Raises:
        ArgumentError: no algorithm has that name.
    """
    name = default if algorithm == "auto" else algorithm
    if name not in algorithms:
        raise ArgumentError("algorithm", algorithm, f"one of auto, {', '.join(algorithms)}")
    return algorithms[name]
