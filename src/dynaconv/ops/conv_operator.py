"""A convolution as an operator: in every pass runs the algorithm that is chosen for the problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dynaconv.dispatch import Algorithm, Problem, Registry
from dynaconv.ops.patches import is_channels_last
from dynaconv.ops.recompute import Tensors, present
from dynaconv.spec import ConvSpec

__all__ = ["ConvOperator"]


def _no_facts(*kernel: Any) -> Mapping[str, Any]:
    """A kernel of which the choice of an algorithm knows nothing."""
    return {}


@dataclass(frozen=True)
class ConvOperator:
    """An operator as `recompute.Operator` has it, from what the algorithms of one convolution have in common.

    Their arguments are the input, what makes up the kernel, and the geometry: `f(x, *kernel, spec)`.

    Args:
        NAME: what it is called.
        TENSORS: names of the tensors, the input first.
        registry: the algorithms.
        shape: a kernel's `(O, I/g, *k)`, as `shape(*kernel)`.
        written_out: the output in operations that autograd knows, as `written_out(x, *kernel, spec)`.
        arguments: makes `(x, *kernel)` of the tensors; by default they are the same.
        facts: fields of `Problem` that tell of the kernel, as `facts(*kernel)`.
    """

    NAME: str
    TENSORS: tuple[str, ...]
    registry: Registry
    shape: Callable[..., Sequence[int]]
    written_out: Callable[..., Tensor]
    arguments: Callable[[Tensors], Sequence[Any]] = present
    facts: Callable[..., Mapping[str, Any]] = _no_facts

    def problem(self, x: Tensor, *kernel: Any, spec: ConvSpec) -> Problem:
        """What the choice of an algorithm depends on."""
        return Problem(
            self.NAME,
            spec,
            batch=x.shape[0],
            size=tuple(x.shape[2:]),
            dtype=str(x.dtype).removeprefix("torch."),
            device=x.device.type,
            channels_last=is_channels_last(x),
            **self.facts(*kernel),
        )

    def weight_shape(self, tensors: Tensors) -> Sequence[int]:
        """See `recompute.Operator`."""
        _, *kernel = self.arguments(tensors)
        return self.shape(*kernel)

    def forward(self, tensors: Tensors, spec: ConvSpec, algorithm: str) -> Tensor:
        """See `recompute.Operator`."""
        x, *kernel = self.arguments(tensors)
        if x.shape[0] == 0:
            nothing: Tensor = x.new_zeros(0, spec.out_channels, *spec.output_size(x.shape[2:]))
            return nothing

        def run(candidate: Algorithm) -> Tensor:
            y: Tensor = candidate.forward(x, *kernel, spec)
            return y

        return run(self.registry.choose(algorithm, self.problem(x, *kernel, spec=spec), backward=False, run=run))

    def backward(
        self, gradient: Tensor, tensors: Tensors, spec: ConvSpec, algorithm: str, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """See `recompute.Operator`."""
        x, *kernel = self.arguments(tensors)
        if x.shape[0] == 0:
            return [torch.zeros_like(t) if w and t is not None else None for t, w in zip(tensors, wanted, strict=True)]

        def run(candidate: Algorithm) -> list[Tensor | None]:
            assert candidate.backward is not None
            return [*self.gradients(candidate.backward, gradient, (x, *kernel), spec, wanted)]

        return run(self.registry.choose(algorithm, self.problem(x, *kernel, spec=spec), backward=True, run=run))

    def gradients(
        self,
        backward: Callable[..., Sequence[Tensor | None]],
        gradient: Tensor,
        arguments: Sequence[Any],
        spec: ConvSpec,
        wanted: Sequence[bool],
    ) -> Sequence[Tensor | None]:
        """What an algorithm's backward pass gives, a gradient for every tensor."""
        return backward(gradient, *arguments, spec, wanted)

    def formula(self, tensors: Tensors, spec: ConvSpec) -> Tensor:
        """See `recompute.Operator`."""
        return self.written_out(*self.arguments(tensors), spec)
