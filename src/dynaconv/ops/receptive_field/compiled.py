"""Fields by the compiled passes: the steps of the other files, fused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from dynaconv.native import field
from dynaconv.ops.receptive_field.window_blocks import Blocks, affine, cut
from dynaconv.ops.static_conv import pad
from dynaconv.ops.windows import inner
from dynaconv.spec import ConvSpec

__all__ = ["CompiledWeighing", "can_run", "compiled_field", "gradients_of"]


def can_run(x: Tensor, spec: ConvSpec) -> bool:
    """Whether the compiled passes take a field of this input and geometry."""
    return not field.why_not(spec, str(x.dtype).removeprefix("torch."), x.device.type)


def compiled_field(x: Tensor, weight: Tensor, shift: Tensor, spec: ConvSpec) -> field.Field:
    """`f_{c,t} = ReLU(w_{c,t} * x_c + b_{c,t})`.

    Args:
        x: `(B, C, H, W)`.
        weight: `(C·T, 1, kh, kw)`.
        shift: b, `(C·T,)`.
        spec: the geometry of the field; zeros as padding.
    """
    return field.Field(pad(x, spec), affine(weight, shift, x.shape[1]), spec.unpadded())


def gradients_of(fields: field.Field, x: Tensor, weight: Tensor, spec: ConvSpec) -> tuple[Tensor, Tensor, Tensor]:
    """Of x, weight and shift, as `compiled_field` has them, once everything was led back."""
    rows = fields.to_kernels.flatten(0, 1)
    to_x = inner(fields.to_x, x.shape[2:], spec).contiguous()
    return to_x, rows[:, :-1].reshape(weight.shape), rows[:, -1].contiguous()


class CompiledWeighing:
    """As `Weighing`, whose arguments and methods it has."""

    def __init__(
        self,
        made_by: tuple[Tensor, Tensor, Tensor],
        factors: tuple[Tensor, Tensor],
        spec: ConvSpec,
        *,
        softmax: bool,
        wanted: bool,
    ) -> None:
        self._made_by, self._spec, self._softmax, self._wanted = made_by, spec, softmax, wanted
        self._fields, self._blocks = compiled_field(*made_by, spec), Blocks.of(made_by[0], spec)
        self._factors = (factors[0].contiguous(), factors[1].contiguous())
        self.columns = self._blocks.columns

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Samples and their features times the attention, `(C, T, n)`; the next step overwrites them."""
        x, taps = self._made_by[0], self._spec.taps
        buffer = x.new_empty(x.shape[1] * taps * self.columns)
        for samples, columns in self._blocks:
            weighted = cut(buffer, x.shape[1], taps, columns)
            self._fields.weigh(samples, self._factors, weighted, softmax=self._softmax)
            yield samples, weighted

    def lead_back(self, samples: slice, gradient: Tensor) -> None:
        """Take the gradient of the present block's weighted features, `(C, T, n)`."""
        totals = self._totals if self._wanted else (None, None)
        self._fields.weigh_back(samples, self._factors, totals, gradient, softmax=self._softmax)

    def gradients(self) -> tuple[Tensor, ...]:
        """Of x, the field's weight, its shift and both factors, once every block was led back."""
        x, weight, _ = self._made_by
        return (*gradients_of(self._fields, x, weight, self._spec), *self._totals)

    @cached_property
    def _totals(self) -> tuple[Tensor, Tensor]:
        left, right = self._factors
        return torch.zeros_like(left), torch.zeros_like(right)
