"""What the algorithms of `mixture_conv` cost: how often each handles the numbers of a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

from dynaconv.dispatch import Cost, Problem
from dynaconv.ops.mixture_conv import patches

__all__ = ["backward_cost", "expert_input_cost", "forward_cost", "reference_cost", "static_cost"]


@dataclass(frozen=True)
class _Work:
    """What one pass of an algorithm does, in the units of the cost model.

    Attributes:
        macs: times the static convolution's multiply-adds.
        grouped: as many times more where there are groups.
        mixing: times the multiply-adds of mixing all samples' kernels.
        kernels: times all samples' kernels move.
        columns: times the windows move, laid out.
        bank: times the bank moves.
        by_block: whether it does so in every block of samples.
        maps: times input and output move.
        calls: operators called.
        calls_per_sample: more of them for every sample.
        calls_per_group: more of them for every sample and group.
    """

    macs: float
    grouped: float = 0.0
    mixing: float = 0.0
    kernels: float = 0.0
    columns: float = 0.0
    bank: float = 0.0
    by_block: bool = False
    maps: float = 0.0
    calls: float = 0.0
    calls_per_sample: float = 0.0
    calls_per_group: float = 0.0


# Fitted to the times of the benchmark's shapes on two cores with AVX-512, by non-negative least squares of the ratio;
# every algorithm was given maps in the layout that it reads.
_FORWARD = {
    "native": _Work(0.7, 3.8, 1.2, bank=0.27, maps=0.57, calls=31),
    "per_sample": _Work(0.78, 0.3, kernels=0.5, bank=0.47, by_block=True, maps=1.22, calls=10, calls_per_sample=6.5),
    "grouped": _Work(0.7, 0.5, kernels=1.4, bank=0.4, by_block=True, maps=1.47, calls=8),
    "patches": _Work(1.44, kernels=1.06, columns=0.86, bank=0.45, maps=0.73, calls=9.6, calls_per_group=0.017),
}
_BACKWARD = {
    "native": _Work(1.6, 9.0, 3.8, bank=3.3, maps=1.75, calls=16),
    "per_sample": _Work(1.34, kernels=5.2, bank=2.18, by_block=True, maps=3.96, calls=21, calls_per_sample=11.8),
    "grouped": _Work(1.31, kernels=5.1, bank=2.12, by_block=True, maps=4.95, calls=15),
    "patches": _Work(3.0, kernels=3.5, columns=2.5, bank=2.16, maps=2.03, calls=16, calls_per_group=0.072),
}
_BLOCK = patches.KERNEL_NUMBERS


def forward_cost(name: str) -> Callable[[Problem], Cost]:
    """Of the forward pass of an algorithm with a pass of its own."""
    return lambda problem: _cost(_FORWARD[name], problem, _memory(name, problem))


def backward_cost(name: str) -> Callable[[Problem], Cost]:
    """Of its backward pass: all gradients."""
    return lambda problem: _cost(_BACKWARD[name], problem, 2 * _memory(name, problem) + _bank(problem))


def _cost(work: _Work, problem: Problem, memory: float) -> Cost:
    spec, batch = problem.spec, problem.batch
    macs = work.macs + (work.grouped if spec.groups > 1 else 0)
    columns = _columns(problem) if spec.taps > 1 else 0
    maps = batch * (spec.in_channels * prod(problem.size) + spec.out_channels * problem.positions)
    blocks = ceil(batch / max(1, min(batch, _BLOCK // spec.weight_count))) if work.by_block else 1
    return Cost(
        macs=macs * problem.macs + work.mixing * problem.experts * problem.kernel_numbers,
        traffic=work.kernels * problem.kernel_numbers
        + work.columns * columns
        + work.bank * blocks * _bank(problem)
        + work.maps * maps,
        calls=work.calls + batch * (work.calls_per_sample + work.calls_per_group * spec.groups),
        memory=memory,
    )


def _bank(problem: Problem) -> int:
    return problem.experts * problem.spec.weight_count


def _columns(problem: Problem) -> int:
    return problem.batch * problem.positions * problem.spec.in_channels * problem.spec.taps


def _memory(name: str, problem: Problem) -> float:
    """Numbers alive beside input and output: a block of kernels, a chunk of columns, the packed bank."""
    if name == "native":
        return _bank(problem)
    kernels = min(problem.kernel_numbers, max(_BLOCK, problem.spec.weight_count))
    return kernels + (min(_columns(problem), patches.COLUMN_NUMBERS) if name == "patches" else 0)


def expert_input_cost(problem: Problem) -> Cost:
    """Of one convolution over K times the channels, or twice that backward."""
    copies = problem.experts * problem.batch * problem.spec.in_channels * prod(problem.size)
    return Cost(macs=problem.experts * problem.macs, traffic=copies, calls=4, memory=copies)


def static_cost(problem: Problem) -> Cost:
    """Of an ordinary convolution between two channel scales."""
    return Cost(macs=problem.macs, calls=3)


def reference_cost(problem: Problem) -> Cost:
    """Of a sum of plain convolutions, sample by sample."""
    return Cost(macs=4 * problem.macs, calls=20 * problem.batch * problem.experts, memory=2 * problem.kernel_numbers)
