"""Operators that keep only their inputs between the passes: one autograd function, made for each operator.

An operator is three plain functions over a list of tensors. From them come: an autograd function that saves the inputs
alone and has the backward pass compute again what the forward pass dropped; opaque library operators, so that a
compiler sees one node whose batch size stays free; a rule for `torch.func.vmap`; and second derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from dynaconv.ops.geometry import spec_from_numbers
from dynaconv.ops.patches import is_channels_last
from dynaconv.spec import ConvSpec

__all__ = ["Operator", "Tensors", "present", "recomputed"]

Tensors = Sequence[Tensor | None]


def present(tensors: Tensors) -> list[Tensor]:
    """The tensors, all of which are there."""
    found = [tensor for tensor in tensors if tensor is not None]
    assert len(found) == len(tensors)
    return found


class Operator(Protocol):
    """What an operator is made of: a module with these functions, or an object."""

    @property
    def NAME(self) -> str:
        """What it is called."""

    @property
    def TENSORS(self) -> tuple[str, ...]:
        """Names of the tensors, the input first."""

    def weight_shape(self, tensors: Tensors) -> Sequence[int]:
        """`(O, I/g, *k)`, as the tensors tell it."""

    def forward(self, tensors: Tensors, spec: ConvSpec, algorithm: str) -> Tensor:
        """The output."""

    def backward(
        self, gradient: Tensor, tensors: Tensors, spec: ConvSpec, algorithm: str, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradient of every tensor, `None` where there is none or it is not wanted."""

    def formula(self, tensors: Tensors, spec: ConvSpec) -> Tensor:
        """The output, in operations that autograd knows."""


OutputShape = Callable[[Tensors, ConvSpec], Sequence[int]]


def _map_shape(tensors: Tensors, spec: ConvSpec) -> Sequence[int]:
    """A convolution's output, `(B, O, *S_out)`."""
    x = tensors[0]
    assert x is not None
    return (x.shape[0], spec.out_channels, *spec.output_size(x.shape[2:]))


def recomputed(operator: Operator, output_shape: OutputShape = _map_shape) -> Callable[..., Tensor]:
    """The operator as a differentiable function `f(*tensors, spec, algorithm)`.

    Args:
        operator: its passes and its formula.
        output_shape: the output's shape, from the tensors and the geometry.
    """
    forward, backward = _passes(operator, output_shape)
    count = len(operator.TENSORS)

    def again(*arguments: Any) -> list[Tensor | None]:
        # A compiler that traces the class below takes in functions, not every operator.
        return _differentiable_gradients(operator, *arguments)

    class Recomputed(torch.autograd.Function):
        @staticmethod
        def forward(*arguments: Any) -> Tensor:
            return forward(*arguments)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            ctx.save_for_backward(*inputs[:count])
            ctx.geometry, ctx.algorithm = inputs[count:]

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Any:
            tensors, wanted = ctx.saved_tensors, list(ctx.needs_input_grad[:count])
            found: Sequence[Tensor | None]
            if torch.is_grad_enabled() and not torch.compiler.is_compiling():
                found = again(gradient, tensors, ctx.geometry, wanted)
            else:
                found = backward(gradient, *tensors, ctx.geometry, ctx.algorithm, wanted)
            return (*(g if w else None for g, w in zip(found, wanted, strict=True)), None, None)

        @staticmethod
        def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
            rows = (_row(in_dims, arguments, i) for i in range(info.batch_size))
            return torch.stack([Recomputed.apply(*row) for row in rows]), 0

    def call(*arguments: Any) -> Tensor:
        *tensors, spec, algorithm = arguments
        y: Tensor = Recomputed.apply(*tensors, spec.numbers, algorithm)
        return y

    return call


def _row(in_dims: tuple[Any, ...], arguments: tuple[Any, ...], i: int) -> list[Any]:
    """Row i of the arguments that are mapped, the others as they are."""
    mapped = (isinstance(a, Tensor) and d is not None for d, a in zip(in_dims, arguments, strict=True))
    return [a.select(d, i) if m else a for a, d, m in zip(arguments, in_dims, mapped, strict=True)]


def _spec(operator: Operator, tensors: Tensors, numbers: Sequence[int]) -> ConvSpec:
    x = tensors[0]
    assert x is not None
    # A compiler may have left them open; the geometry of a layer does not change.
    shape = tuple(int(n) for n in operator.weight_shape(tensors))
    return spec_from_numbers(int(x.shape[1]), shape, tuple(int(n) for n in numbers))


def _memory_format(x: Tensor) -> torch.memory_format:
    """How a library operator lays out what has the input's shape: as the input, whatever the algorithm prefers.

    A compiler knows the layout before the algorithm is chosen.
    """
    if not is_channels_last(x):
        return torch.contiguous_format
    return torch.channels_last if x.dim() == 4 else torch.channels_last_3d


def _differentiable_gradients(
    operator: Operator, gradient: Tensor, tensors: Tensors, numbers: Sequence[int], wanted: list[bool]
) -> list[Tensor | None]:
    """Gradients that can be differentiated again, by autograd through the formula."""
    # Aliases: one tensor may have been made from another, as taps from the input, and each gradient is its own alone.
    parts = [None if t is None else t.view_as(t) for t in tensors]
    y = operator.formula(parts, _spec(operator, parts, numbers))
    leaves = [t for t, w in zip(parts, wanted, strict=True) if w and t is not None]
    found = iter(torch.autograd.grad(y, leaves, gradient, create_graph=True, allow_unused=True, materialize_grads=True))
    return [next(found) if w else None for w in wanted]


Forward = Callable[..., Tensor]
Backward = Callable[..., list[Tensor]]


def _passes(operator: Operator, output_shape: OutputShape) -> tuple[Forward, Backward]:
    """The forward and the backward pass; opaque to a compiler, plain functions otherwise."""

    def forward(*arguments: Any) -> Tensor:
        *tensors, numbers, algorithm = arguments
        return operator.forward(tensors, _spec(operator, tensors, numbers), algorithm)

    def backward(gradient: Tensor, *arguments: Any) -> list[Tensor]:
        *tensors, numbers, algorithm, wanted = arguments
        found = operator.backward(gradient, tensors, _spec(operator, tensors, numbers), algorithm, wanted)
        # A library operator returns tensors alone: an empty one stands for no gradient.
        return [gradient.new_empty(0) if g is None else g for g in found]

    def run(plain: Callable[..., Any], opaque: Callable[..., Any]) -> Callable[..., Any]:
        # The library operator's bookkeeping costs more than a small convolution: only a compiler pays for it.
        return lambda *arguments: (opaque if torch.compiler.is_compiling() else plain)(*arguments)

    opaque_forward, opaque_backward = _library_operators(operator, output_shape, forward, backward)
    return run(forward, opaque_forward), run(backward, opaque_backward)


def _library_operators(
    operator: Operator, output_shape: OutputShape, forward: Forward, backward: Backward
) -> tuple[Forward, Backward]:
    """Both passes as library operators, which give what they announce in the layout that they announce."""
    count = len(operator.TENSORS)

    def forward_laid_out(*arguments: Any) -> Tensor:
        return forward(*arguments).contiguous(memory_format=_memory_format(arguments[0]))

    def backward_laid_out(gradient: Tensor, *arguments: Any) -> list[Tensor]:
        to_x, *others = backward(gradient, *arguments)
        if to_x.dim() == gradient.dim():
            to_x = to_x.contiguous(memory_format=_memory_format(arguments[0]))
        return [to_x, *(other.contiguous() for other in others)]

    def shape_of_output(*arguments: Any) -> Tensor:
        *tensors, numbers, _ = arguments
        x = tensors[0]
        shape = tuple(output_shape(tensors, _spec(operator, tensors, numbers)))
        return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_memory_format(x))

    def shapes_of_gradients(gradient: Tensor, *arguments: Any) -> list[Tensor]:
        tensors, wanted = arguments[:count], arguments[-1]
        layouts = [_memory_format(tensors[0]), *(torch.contiguous_format,) * (count - 1)]
        return [
            gradient.new_empty(0) if t is None or not w else torch.empty_like(t, memory_format=layout)
            for t, w, layout in zip(tensors, wanted, layouts, strict=True)
        ]

    names = ", ".join(f"Tensor? {name}" for name in operator.TENSORS).replace("Tensor? x", "Tensor x")
    given = f"{names}, int[] geometry, str algorithm"
    announced: dict[str, tuple[Callable[..., Any], Callable[..., Any], str]] = {
        operator.NAME: (forward_laid_out, shape_of_output, f"({given}) -> Tensor"),
        f"{operator.NAME}_gradients": (
            backward_laid_out,
            shapes_of_gradients,
            f"(Tensor gradient, {given}, bool[] wanted) -> Tensor[]",
        ),
    }
    for name, (run, shapes, schema) in announced.items():
        torch.library.custom_op(f"dynaconv::{name}", run, mutates_args=(), schema=schema).register_fake(shapes)
    one, other = (getattr(torch.ops.dynaconv, name).default for name in announced)
    return one, other
