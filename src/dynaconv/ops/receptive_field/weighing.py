"""The features of some samples at a time under their attention, in PyTorch's own operations, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from dynaconv.ops.receptive_field.amounts import add_to_factor, block_of
from dynaconv.ops.receptive_field.field_blocks import FieldBlocks
from dynaconv.ops.receptive_field.window_blocks import cut
from dynaconv.spec import ConvSpec

__all__ = ["Weighing"]


class Weighing:
    """Walks over the samples of a field, whose features it weighs.

    Args:
        made_by: x `(B, C, *S)`, the field's weight and its shift.
        factors: their product is the attention.
        spec: the geometry of the field.
        softmax: the attention is the softmax of that product over the taps.
        wanted: whether a factor's gradient is.

    Attributes:
        columns: the most columns, samples times positions, of a block.
    """

    def __init__(
        self,
        made_by: tuple[Tensor, Tensor, Tensor],
        factors: tuple[Tensor, Tensor],
        spec: ConvSpec,
        *,
        softmax: bool,
        wanted: bool,
    ) -> None:
        self._fields, self._factors = FieldBlocks(*made_by, spec), factors
        self._softmax, self._wanted = softmax, wanted
        self.columns = self._fields.blocks.columns
        self._buffers = [self._fields.blocks.buffer(spec.taps) for _ in range(2)]
        self._features = self._attention = made_by[0]

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Samples and their features times the attention, `(C, T, n)`; the next step overwrites them."""
        for samples, features in self._fields:
            attention, weighted = (cut(buffer, *features.shape) for buffer in self._buffers)
            self._attend(samples, attention, weighted)
            self._features, self._attention = features, attention
            yield samples, torch.mul(features, attention, out=weighted)

    def lead_back(self, samples: slice, gradient: Tensor) -> None:
        """Take the gradient of the present block's weighted features, `(C, T, n)`, which is overwritten."""
        if self._wanted:
            # What was weighed has served.
            to_attention = torch.mul(gradient, self._features, out=cut(self._buffers[1], *gradient.shape))
            self._to_factors(samples, to_attention)
        self._fields.lead_back(samples, self._features, gradient.mul_(self._attention))

    def gradients(self) -> tuple[Tensor, ...]:
        """Of x, the field's weight, its shift and both factors, once every block was led back."""
        return (*self._fields.gradients(), *self._totals)

    @cached_property
    def _totals(self) -> tuple[Tensor, Tensor]:
        left, right = self._factors
        return torch.zeros_like(left), torch.zeros_like(right)

    @cached_property
    def _scratch(self) -> Tensor:
        return torch.empty_like(self._buffers[0])

    def _attend(self, samples: slice, attention: Tensor, scratch: Tensor) -> None:
        """Write some samples' attention, `(C, T, n)`."""
        left, right = (block_of(factor, samples) for factor in self._factors)
        product = scratch if self._softmax else attention
        torch.mul(left, right, out=product.view(torch.broadcast_shapes(left.shape, right.shape)))
        if self._softmax:
            torch.softmax(product, 1, out=attention)

    def _to_factors(self, samples: slice, gradient: Tensor) -> None:
        """Add up the factors' gradients from that of the attention, which is overwritten."""
        left, right = (block_of(factor, samples) for factor in self._factors)
        if self._softmax:
            gradient.mul_(self._attention)
            gradient.addcmul_(self._attention, gradient.sum(1, keepdim=True), value=-1)
        laid_out = gradient.view(torch.broadcast_shapes(left.shape, right.shape))
        other = cut(self._scratch, *laid_out.shape)
        add_to_factor(self._totals[0], samples, torch.mul(laid_out, right, out=other))
        add_to_factor(self._totals[1], samples, laid_out.mul_(left))
