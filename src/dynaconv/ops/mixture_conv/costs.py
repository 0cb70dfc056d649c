"""What the algorithms of `mixture_conv` cost: how often each handles the numbers of a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

from dynaconv.dispatch import Cost, Problem
from dynaconv.ops.mixture_conv import patches
from dynaconv.ops.mixture_conv.sample_blocks import block_samples

__all__ = ["backward_cost", "expert_input_cost", "forward_cost", "reference_cost", "static_cost"]


@dataclass(frozen=True)
class _Work:
    """What one pass of an algorithm does, in the units of the cost model.

    Attributes:
        macs: times the static convolution's multiply-adds.
        grouped: as many times more where there are groups.
        expert_macs: times those of a static convolution with every expert.
        mixing: times the multiply-adds of mixing all samples' kernels.
        kernels: times all samples' kernels move.
        columns: times the windows move, laid out.
        outputs: times every expert's output moves.
        bank: times the bank moves.
        by_block: whether it does so in every block of samples.
        maps: times input and output move.
        calls: operators called.
        calls_per_block: more of them for every block of samples.
        calls_per_sample: more of them for every sample.
        calls_per_group: more of them for every sample and group.
    """

    macs: float = 0.0
    grouped: float = 0.0
    expert_macs: float = 0.0
    mixing: float = 0.0
    kernels: float = 0.0
    columns: float = 0.0
    outputs: float = 0.0
    bank: float = 0.0
    by_block: bool = False
    maps: float = 0.0
    calls: float = 0.0
    calls_per_block: float = 0.0
    calls_per_sample: float = 0.0
    calls_per_group: float = 0.0


# Fitted to the times of the benchmark's shapes on two cores with AVX-512, by non-negative least squares of the ratio;
# every algorithm was given maps in the layout that it reads.
_FORWARD = {
    "native": _Work(0.7, 3.8, mixing=1.2, bank=0.27, maps=0.57, calls=31),
    "per_sample": _Work(0.72, 0.97, kernels=0.92, bank=0.37, by_block=True, maps=0.75, calls=0.5, calls_per_sample=6),
    "grouped": _Work(0.73, 1.24, kernels=1.19, bank=0.33, by_block=True, maps=0.7, calls=2.5, calls_per_block=2.9),
    "patches": _Work(0.82, kernels=1.46, columns=0.85, bank=0.09, maps=0.63, calls=5, calls_per_group=0.009),
    "expert_output": _Work(expert_macs=0.61, columns=1.8, outputs=0.92, bank=0.31, calls=6.2),
}
_BACKWARD = {
    "native": _Work(1.6, 9.0, mixing=3.8, bank=3.3, maps=1.75, calls=16),
    "per_sample": _Work(1.25, 1.3, kernels=5.1, bank=1.9, by_block=True, maps=2.6, calls=0.1, calls_per_sample=13),
    "grouped": _Work(1.28, 0.77, kernels=5.5, bank=1.8, by_block=True, maps=2.8, calls=12.8),
    "patches": _Work(2.96, kernels=2.9, columns=2.7, bank=1.4, maps=1.3, calls=8.2, calls_per_group=0.05),
    "expert_output": _Work(expert_macs=2.0, columns=7.0, outputs=4.4, bank=1.2, maps=0.42, calls=7.5),
}


def forward_cost(name: str) -> Callable[[Problem], Cost]:
    """Of the forward pass of an algorithm with a pass of its own."""
    return lambda problem: _cost(_FORWARD[name], problem, _memory(name, problem))


def backward_cost(name: str) -> Callable[[Problem], Cost]:
    """Of its backward pass: all gradients."""
    return lambda problem: _cost(_BACKWARD[name], problem, 2 * _memory(name, problem) + _bank(problem))


def _cost(work: _Work, problem: Problem, memory: float) -> Cost:
    spec, batch = problem.spec, problem.batch
    macs = work.macs + work.expert_macs * problem.experts + (work.grouped if spec.groups > 1 else 0)
    columns = _columns(problem) if spec.taps > 1 or work.expert_macs else 0
    outputs = batch * problem.positions * spec.out_channels
    maps = batch * spec.in_channels * prod(problem.size) + outputs
    blocks = ceil(batch / block_samples(batch, spec, problem.size, patches.KERNEL_NUMBERS)) if batch else 0
    return Cost(
        macs=macs * problem.macs + work.mixing * problem.experts * problem.kernel_numbers,
        traffic=work.kernels * problem.kernel_numbers
        + work.columns * columns
        + work.outputs * problem.experts * outputs
        + work.bank * (blocks if work.by_block else 1) * _bank(problem)
        + work.maps * maps,
        calls=work.calls
        + blocks * work.calls_per_block
        + batch * (work.calls_per_sample + work.calls_per_group * spec.groups),
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
    columns = min(_columns(problem), patches.COLUMN_NUMBERS)
    if name == "expert_output":
        return columns + min(
            problem.experts * problem.batch * problem.positions * problem.spec.out_channels, patches.COLUMN_NUMBERS
        )
    kernels = min(problem.kernel_numbers, max(patches.KERNEL_NUMBERS, problem.spec.weight_count))
    return kernels + (columns if name == "patches" else 0)


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
