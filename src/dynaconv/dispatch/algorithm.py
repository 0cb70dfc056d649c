"""An algorithm as the dispatcher sees it: what it can do, what it costs, how it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynaconv.dispatch.problem import Problem

__all__ = ["Algorithm", "Cost", "always"]


@dataclass(frozen=True)
class Cost:
    """What one pass costs, in a model of three terms.

    Attributes:
        macs: multiply-adds at the speed of a large static convolution; slower ones count as more.
        traffic: numbers read from or written to memory beyond what the static convolution moves.
        calls: operators called.
        memory: numbers alive at once beyond input and output.
    """

    macs: float
    traffic: float = 0.0
    calls: float = 1.0
    memory: float = 0.0

    # From benchmarks/operators on two cores with AVX-512; only the ratios matter to the choice.
    MACS_PER_SECOND = 120e9
    NUMBERS_PER_SECOND = 2.5e9
    SECONDS_PER_CALL = 12e-6

    @property
    def seconds(self) -> float:
        """The model's estimate."""
        compute = self.macs / self.MACS_PER_SECOND + self.traffic / self.NUMBERS_PER_SECOND
        return compute + self.calls * self.SECONDS_PER_CALL


def always(problem: Problem) -> list[str]:
    """No reason against an algorithm that does everything."""
    return []


@dataclass(frozen=True)
class Algorithm:
    """One way to run an operator.

    Attributes:
        name: what it is called.
        forward: the forward pass.
        backward: all gradients, computing again what the forward pass dropped; `None` leaves them to autograd.
        forward_cost: of the forward pass.
        backward_cost: of the backward pass.
        why_not: reasons why it cannot run a problem; none if it can.
        channels_last: whether it reads and writes maps with the channels of a pixel side by side; others copy them.
    """

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    forward_cost: Callable[[Problem], Cost]
    backward_cost: Callable[[Problem], Cost]
    why_not: Callable[[Problem], list[str]] = always
    channels_last: bool = False

    def cost(self, problem: Problem, backward: bool) -> Cost:
        """Of one of the passes."""
        return self.backward_cost(problem) if backward else self.forward_cost(problem)
