"""The algorithms of `tapwise_conv`, with what each costs."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.ops.dense_conv.algorithms import CACHE_NUMBERS
from dynaconv.ops.tapwise_conv import depthwise, fused
from dynaconv.ops.tapwise_conv.reference import reference
from dynaconv.ops.tapwise_conv.sample_blocks import SampleBlocks
from dynaconv.ops.tapwise_conv.tap_blocks import TapBlocks
from dynaconv.spec import ConvSpec

__all__ = ["REGISTRY"]

_UNFOLD, _SHIFTS = TapBlocks(None), TapBlocks(1)
# 8 MiB of float32: large enough for a product at full speed, small enough to be laid out in the cache.
_SAMPLES = SampleBlocks(2**21)


def _windows(problem: Problem) -> int:
    return problem.batch * problem.positions * problem.spec.in_channels * problem.spec.taps


def _unfold_cost(problem: Problem) -> Cost:
    # The copies are read again at once: from the cache if it holds them.
    passes = 4 if _windows(problem) < CACHE_NUMBERS else 8
    return Cost(macs=1.3 * problem.macs, traffic=passes * _windows(problem), calls=8, memory=2 * _windows(problem))


def _samples_cost(problem: Problem) -> Cost:
    together = _at_once(problem, _SAMPLES.samples)
    calls = 12 * ceil(problem.batch / together)
    memory = 2 * _windows(problem) * together / max(1, problem.batch)
    return Cost(macs=1.3 * problem.macs, traffic=4 * _windows(problem), calls=calls, memory=memory)


def _depthwise_cost(problem: Problem) -> Cost:
    together = _at_once(problem, depthwise.samples_at_once)
    calls = 2 * problem.spec.taps * ceil(problem.batch / together)
    memory = 2 * together * problem.positions * problem.spec.in_channels
    return Cost(macs=0, traffic=_windows(problem), calls=calls, memory=memory)


def _depthwise_why_not(problem: Problem) -> list[str]:
    spec = problem.spec
    alone = spec.groups == spec.in_channels == spec.out_channels
    return [] if alone else [f"{spec.in_channels}→{spec.out_channels} in {spec.groups} groups: only depthwise"]


def _at_once(problem: Problem, samples: Callable[[ConvSpec, int], int]) -> int:
    """How many samples pass together; at least one."""
    return max(1, min(problem.batch, samples(problem.spec, problem.positions)))


def _shifts_cost(problem: Problem) -> Cost:
    if problem.spec.taps == 1:
        return _unfold_cost(problem)
    taps, pixels = problem.spec.taps, _windows(problem) / problem.spec.taps
    output = problem.batch * problem.positions * problem.spec.out_channels
    traffic = 2 * _windows(problem) + 2 * taps * output
    return Cost(macs=1.5 * problem.macs, traffic=traffic, calls=6 * taps, memory=2 * pixels)


def _fused_cost(problem: Problem) -> Cost:
    # Every window is weighted once, in the cache.
    return Cost(macs=1.1 * problem.macs + 4 * _windows(problem), calls=6)


def _reference_cost(problem: Problem) -> Cost:
    return Cost(macs=4 * problem.macs, calls=10 * problem.batch * problem.spec.taps)


def _backward(
    forward: Callable[[Problem], Cost], samples: Callable[[ConvSpec, int], int] | None = None
) -> Callable[[Problem], Cost]:
    """A backward pass: two convolutions, the weighting twice more, and the samples' gradients of the weight."""

    def cost(problem: Problem) -> Cost:
        once = forward(problem)
        share = _at_once(problem, samples) / max(1, problem.batch) if samples else 1
        of_weight = min(problem.kernel_numbers, _windows(problem))
        traffic = 2 * once.traffic + 2 * of_weight
        memory = once.memory + share * (_windows(problem) + of_weight)
        return Cost(2 * once.macs, traffic, 2 * once.calls, memory)

    return cost


def _depthwise_backward_cost(problem: Problem) -> Cost:
    once = _depthwise_cost(problem)
    return Cost(0, 3 * once.traffic, 3 * once.calls, 3 * once.memory)


def _fused_backward_cost(problem: Problem) -> Cost:
    once = _fused_cost(problem)
    return Cost(2.2 * once.macs, calls=14)


REGISTRY = Registry(
    Algorithm(
        "native", fused.forward, fused.backward, _fused_cost, _fused_backward_cost, fused.why_not, channels_last=True
    ),
    Algorithm("unfold", _UNFOLD.forward, _UNFOLD.backward, _unfold_cost, _backward(_unfold_cost)),
    Algorithm("shifts", _SHIFTS.forward, _SHIFTS.backward, _shifts_cost, _backward(_shifts_cost)),
    Algorithm(
        "samples", _SAMPLES.forward, _SAMPLES.backward, _samples_cost, _backward(_samples_cost, _SAMPLES.samples)
    ),
    Algorithm(
        "depthwise",
        depthwise.forward,
        depthwise.backward,
        _depthwise_cost,
        _depthwise_backward_cost,
        _depthwise_why_not,
    ),
    # Autograd differentiates it.
    Algorithm("reference", reference, None, _reference_cost, _backward(_reference_cost)),
)
