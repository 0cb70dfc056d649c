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
# every algorithm was given maps in the layout that it reads. What is not compiled was fitted by itself, then set
# against the compiled kernels by one factor, and in the forward pass a number of calls, on shapes where either may win.
_FORWARD = {
    "native": _Work(0.7, 6, mixing=1.2, bank=0.27, maps=0.57, calls=31),
    "per_sample": _Work(1.44, 1.94, kernels=1.84, bank=0.74, by_block=True, maps=1.5, calls=17, calls_per_sample=12),
    "grouped": _Work(1.46, 2.48, kernels=2.38, bank=0.66, by_block=True, maps=1.4, calls=21, calls_per_block=5.8),
    "patches": _Work(1.64, kernels=2.92, columns=1.7, bank=0.18, maps=1.26, calls=26, calls_per_group=0.018),
    "expert_output": _Work(expert_macs=1.22, columns=3.6, outputs=1.84, bank=0.62, calls=28.4),
}
_BACKWARD = {
    "native": _Work(1.6, 11, mixing=3.8, bank=3.3, maps=1.75, calls=16),
    "per_sample": _Work(2.5, 2.6, kernels=10.2, bank=3.8, by_block=True, maps=5.2, calls=0.2, calls_per_sample=26),
    "grouped": _Work(2.56, 1.54, kernels=11, bank=3.6, by_block=True, maps=5.6, calls=25.6),
    "patches": _Work(5.92, kernels=5.8, columns=5.4, bank=2.8, maps=2.6, calls=16.4, calls_per_group=0.1),
    "expert_output": _Work(expert_macs=4, columns=14, outputs=8.8, bank=2.4, maps=0.84, calls=15),
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
