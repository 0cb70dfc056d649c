"""Which algorithm runs a problem: a forced one, the one measured fastest, or the one that the cost model prefers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from dynaconv.dispatch.algorithm import Algorithm
from dynaconv.dispatch.measured import autotuning, fastest
from dynaconv.dispatch.problem import Problem
from dynaconv.errors import AlgorithmError, ArgumentError

__all__ = ["Registry", "candidates"]


def candidates(algorithms: Mapping[str, Algorithm], problem: Problem) -> list[Algorithm]:
    """The algorithms that can run a problem and bring their own backward pass."""
    return [a for a in algorithms.values() if a.backward is not None and not a.why_not(problem)]


def _no_such_kind(problem: Problem) -> str | None:
    """Every problem needs a choice."""
    return None


class Registry:
    """An operator's algorithms, by name.

    Args:
        algorithms: all of them.
        by_kind: for a problem of a kind that needs no choice, the name of the algorithm; else `None`. It may have no
            backward pass of its own.
    """

    def __init__(self, *algorithms: Algorithm, by_kind: Callable[[Problem], str | None] = _no_such_kind) -> None:
        self._by_kind = by_kind
        self.algorithms: Mapping[str, Algorithm] = {algorithm.name: algorithm for algorithm in algorithms}
        self.preferred = lru_cache(maxsize=4096)(self._preferred)

    def choose(self, name: str, problem: Problem, *, backward: bool, run: Callable[[Algorithm], object]) -> Algorithm:
        """The algorithm for one pass over a problem.

        Args:
            name: `"auto"`, or one to force.
            problem: what is to be done.
            backward: whether the backward pass is meant.
            run: runs an algorithm on the tensors at hand, for measuring.

        Raises:
            ArgumentError: no algorithm has that name.
            AlgorithmError: the forced algorithm cannot run the problem.
        """
        if name == "auto" and autotuning():
            return fastest(problem, backward, candidates(self.algorithms, problem), run)
        if name == "auto":
            return self.preferred(problem, backward)
        self.check_name(name)
        reasons = self.algorithms[name].why_not(problem)
        if reasons:
            raise AlgorithmError(name, reasons)
        return self.algorithms[name]

    def differentiable(self, name: str, problem: Problem) -> str | None:
        """The algorithm to run under autograd, if that is the choice; decided by the problem's kind, not by its sizes.

        Args:
            name: `"auto"`, or one to force.
            problem: what is to be done.

        Raises:
            AlgorithmError: the forced algorithm cannot run the problem.
        """
        if name == "auto":
            return self._by_kind(problem)
        reasons = self.algorithms[name].why_not(problem)
        if reasons:
            raise AlgorithmError(name, reasons)
        return name if self.algorithms[name].backward is None else None

    def check_name(self, name: str) -> None:
        """Raise unless an algorithm has that name.

        Raises:
            ArgumentError: none has.
        """
        if name != "auto" and name not in self.algorithms:
            raise ArgumentError("algorithm", name, f"one of auto, {', '.join(self.algorithms)}")

    def _preferred(self, problem: Problem, backward: bool) -> Algorithm:
        return min(candidates(self.algorithms, problem), key=lambda a: a.cost(problem, backward).seconds)
