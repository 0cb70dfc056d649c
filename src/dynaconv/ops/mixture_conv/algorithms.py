"""The algorithms of `mixture_conv`, with what each can do and costs."""

from __future__ import annotations

from collections.abc import Callable

from dynaconv.dispatch import Algorithm, Cost, Problem, Registry
from dynaconv.ops.dense_conv import grouped, per_sample
from dynaconv.ops.mixture_conv import expert_input, expert_output, fused, patches, static
from dynaconv.ops.mixture_conv.costs import (
    backward_cost,
    expert_input_cost,
    forward_cost,
    reference_cost,
    static_cost,
)
from dynaconv.ops.mixture_conv.reference import reference
from dynaconv.ops.mixture_conv.sample_blocks import SampleBlocks

__all__ = ["REGISTRY"]


_GROUPED = SampleBlocks(grouped, patches.KERNEL_NUMBERS)
_PER_SAMPLE = SampleBlocks(per_sample, patches.KERNEL_NUMBERS)


def _by_autograd(forward: Callable[[Problem], Cost]) -> Callable[[Problem], Cost]:
    """A backward pass that autograd makes of a forward pass: two convolutions."""

    def cost(problem: Problem) -> Cost:
        once = forward(problem)
        return Cost(2 * once.macs, 2.5 * once.traffic, 2.5 * once.calls, 2 * once.memory)

    return cost


def _static_by_kind(problem: Problem) -> str | None:
    """One expert is an ordinary convolution between two channel scales; compiled kernels scale in the same pass.

    One sample's maps are so small that this saves nothing. Compilers make a graph of its own for a batch of one.
    """
    scaled_by_kernels = problem.scales and problem.batch > 1 and not fused.why_not(problem)
    return None if static.why_not(problem) or scaled_by_kernels else "static"


REGISTRY = Registry(
    Algorithm(
        "native",
        fused.forward,
        fused.backward,
        forward_cost("native"),
        backward_cost("native"),
        fused.why_not,
        channels_last=True,
    ),
    *(
        Algorithm(name, algorithm.forward, algorithm.backward, forward_cost(name), backward_cost(name))
        for name, algorithm in (
            ("per_sample", _PER_SAMPLE),
            ("patches", patches),
            ("grouped", _GROUPED),
            ("expert_output", expert_output),
        )
    ),
    # Autograd differentiates these.
    Algorithm("static", static.forward, None, static_cost, _by_autograd(static_cost), static.why_not),
    Algorithm(
        "expert_input",
        expert_input.forward,
        None,
        expert_input_cost,
        _by_autograd(expert_input_cost),
        expert_input.why_not,
    ),
    Algorithm("reference", reference, None, reference_cost, _by_autograd(reference_cost)),
    by_kind=_static_by_kind,
)
