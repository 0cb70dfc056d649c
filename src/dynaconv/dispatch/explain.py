"""Why an algorithm is chosen, in words and numbers."""

from __future__ import annotations

from dynaconv.dispatch.algorithm import Algorithm
from dynaconv.dispatch.choice import Registry
from dynaconv.dispatch.measured import autotuning
from dynaconv.dispatch.problem import Problem

__all__ = ["explain_choice"]


def explain_choice(registry: Registry, problem: Problem) -> str:
    """A table of all algorithms for a problem: chosen, possible, or why not; work, memory and estimated time.

    Args:
        registry: the operator's algorithms.
        problem: what is to be done.
    """
    whole = registry.differentiable("auto", problem)
    by = "structure" if whole else "measurement, when it runs" if autotuning() else "cost model"
    lines = [str(problem), f"static convolution: {problem.macs / 1e6:,.1f} M multiply-adds; chosen by {by}"]
    for backward in (False, True):
        chosen = registry.algorithms[whole] if whole else registry.preferred(problem, backward)
        lines += ["", "backward" if backward else "forward"]
        lines += [_line(algorithm, problem, backward, chosen) for algorithm in registry.algorithms.values()]
    return "\n".join(lines)


def _line(algorithm: Algorithm, problem: Problem, backward: bool, chosen: Algorithm) -> str:
    mark = "→" if algorithm is chosen else " "
    reasons = algorithm.why_not(problem)
    if reasons:
        return f"{mark} {algorithm.name:<13} cannot: {'; '.join(reasons)}"
    cost = algorithm.cost(problem, backward)
    text = (
        f"{mark} {algorithm.name:<13} {cost.seconds * 1e3:9.2f} ms estimated, "
        f"{cost.macs / 1e6:10,.1f} M multiply-adds, {cost.memory * 4 / 2**20:8,.1f} MiB beside input and output"
    )
    return text if algorithm.backward is not None or algorithm is chosen else f"{text}; only when asked for by name"
