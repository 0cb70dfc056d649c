"""The algorithms of `mixture_conv`, with what each can do and costs."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, prod

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.ops.dense_conv import grouped, per_sample
from dynaconv.ops.dense_conv.algorithms import CACHE_NUMBERS
from dynaconv.ops.mixture_conv import expert_input, fused, patches, static
from dynaconv.ops.mixture_conv.reference import reference
from dynaconv.ops.mixture_conv.sample_blocks import SampleBlocks

__all__ = ["REGISTRY"]


_GROUPED = SampleBlocks(grouped, kernel_numbers=patches.KERNEL_NUMBERS)
_PER_SAMPLE = SampleBlocks(per_sample, kernel_numbers=patches.KERNEL_NUMBERS)


def _mixing(problem: Problem) -> float:
    """Multiply-adds of mixing all samples' kernels."""
    return problem.experts * problem.kernel_numbers


def _column_numbers(problem: Problem) -> int:
    return problem.batch * problem.positions * problem.spec.in_channels * problem.spec.taps


def _grouped_cost(problem: Problem) -> Cost:
    # As in dense_conv: the library lays the kernels out anew, cheaply only while they fit in the cache.
    passes = 1.2 if problem.kernel_numbers < CACHE_NUMBERS else 8
    return Cost(
        macs=1.2 * problem.macs + _mixing(problem),
        traffic=passes * problem.kernel_numbers,
        calls=4,
        memory=problem.kernel_numbers,
    )


def _per_sample_cost(problem: Problem) -> Cost:
    # The library lays every kernel out anew before it convolves.
    return Cost(
        macs=1.2 * problem.macs + _mixing(problem),
        traffic=3 * problem.kernel_numbers,
        calls=3 * problem.batch,
        memory=max(patches.KERNEL_NUMBERS, problem.spec.weight_count),
    )


def _patches_cost(problem: Problem) -> Cost:
    columns = _column_numbers(problem)
    chunks = max(1, ceil(columns / patches.COLUMN_NUMBERS))
    samples = min(problem.batch, patches.BLOCK_SAMPLES)
    per_output = max(1, samples * problem.spec.weight_count // problem.spec.out_channels)
    blocks = ceil(problem.spec.out_channels / max(1, patches.KERNEL_NUMBERS // per_output))
    # Batched products run at about half the speed of a static convolution.
    return Cost(
        macs=2 * problem.macs + _mixing(problem),
        traffic=0.6 * problem.kernel_numbers + (columns if prod(problem.spec.kernel_size) > 1 else 0),
        calls=4 * chunks + 3 * blocks * ceil(problem.batch / max(1, samples)),
        memory=min(columns, patches.COLUMN_NUMBERS) + patches.KERNEL_NUMBERS,
    )


def _fused_cost(problem: Problem) -> Cost:
    # Mixing happens in the cache; what is left is one reading of the bank, and the way through the plain interface.
    bank = problem.experts * problem.spec.weight_count
    return Cost(macs=1.1 * problem.macs + 0.5 * _mixing(problem), traffic=0.5 * bank, calls=8)


def _fused_backward_cost(problem: Problem) -> Cost:
    # After every update of the weights the bank is packed anew, in two orders, and its gradient is written in full.
    bank = problem.experts * problem.spec.weight_count
    forward = _fused_cost(problem)
    return Cost(2.2 * forward.macs, traffic=3 * bank, calls=20, memory=2 * bank)


def _wide_cost(problem: Problem) -> Cost:
    copies = problem.experts * problem.batch * problem.spec.in_channels * prod(problem.size)
    return Cost(macs=problem.experts * problem.macs, traffic=copies, calls=4, memory=copies)


def _static_cost(problem: Problem) -> Cost:
    return Cost(macs=problem.macs, calls=3)


def _reference_cost(problem: Problem) -> Cost:
    return Cost(macs=4 * problem.macs, calls=20 * problem.batch * problem.experts, memory=2 * problem.kernel_numbers)


def _backward(forward: Callable[[Problem], Cost]) -> Callable[[Problem], Cost]:
    """A backward pass: two convolutions and the mixing's own gradient."""

    def cost(problem: Problem) -> Cost:
        once = forward(problem)
        return Cost(2 * once.macs, 2.5 * once.traffic, 2.5 * once.calls, 2 * once.memory)

    return cost


REGISTRY = Registry(
    Algorithm("native", fused.forward, fused.backward, _fused_cost, _fused_backward_cost, fused.why_not),
    Algorithm("per_sample", _PER_SAMPLE.forward, _PER_SAMPLE.backward, _per_sample_cost, _backward(_per_sample_cost)),
    Algorithm("patches", patches.forward, patches.backward, _patches_cost, _backward(_patches_cost)),
    Algorithm("grouped", _GROUPED.forward, _GROUPED.backward, _grouped_cost, _backward(_grouped_cost)),
    # Autograd differentiates these.
    Algorithm("static", static.forward, None, _static_cost, _backward(_static_cost), static.why_not),
    Algorithm("expert_input", expert_input.forward, None, _wide_cost, _backward(_wide_cost), expert_input.why_not),
    Algorithm("reference", reference, None, _reference_cost, _backward(_reference_cost)),
    default="static",
)
