"""The algorithms of `tapwise_conv`, with what each costs."""

from __future__ import annotations

from collections.abc import Callable

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.ops.dense_conv.algorithms import CACHE_NUMBERS
from dynaconv.ops.tapwise_conv.reference import reference
from dynaconv.ops.tapwise_conv.tap_blocks import TapBlocks

__all__ = ["REGISTRY"]

_UNFOLD, _SHIFTS = TapBlocks(None), TapBlocks(1)


def _windows(problem: Problem) -> int:
    return problem.batch * problem.positions * problem.spec.in_channels * problem.spec.taps


def _unfold_cost(problem: Problem) -> Cost:
    # The copies are read again at once: from the cache if it holds them.
    passes = 4 if _windows(problem) < CACHE_NUMBERS else 8
    return Cost(macs=1.3 * problem.macs, traffic=passes * _windows(problem), calls=8, memory=2 * _windows(problem))


def _shifts_cost(problem: Problem) -> Cost:
    taps, pixels = problem.spec.taps, _windows(problem) / problem.spec.taps
    output = problem.batch * problem.positions * problem.spec.out_channels
    traffic = 2 * _windows(problem) + 2 * taps * output
    return Cost(macs=1.5 * problem.macs, traffic=traffic, calls=6 * taps, memory=2 * pixels)


def _reference_cost(problem: Problem) -> Cost:
    return Cost(macs=4 * problem.macs, calls=10 * problem.batch * problem.spec.taps)


def _backward(forward: Callable[[Problem], Cost]) -> Callable[[Problem], Cost]:
    """A backward pass: two convolutions and the weighting twice more."""

    def cost(problem: Problem) -> Cost:
        once = forward(problem)
        return Cost(2 * once.macs, 2 * once.traffic, 2 * once.calls, once.memory + _windows(problem))

    return cost


REGISTRY = Registry(
    Algorithm("unfold", _UNFOLD.forward, _UNFOLD.backward, _unfold_cost, _backward(_unfold_cost)),
    Algorithm("shifts", _SHIFTS.forward, _SHIFTS.backward, _shifts_cost, _backward(_shifts_cost)),
    # Autograd differentiates it.
    Algorithm("reference", reference, None, _reference_cost, _backward(_reference_cost)),
)
