"""A kernel on a field that an attention weighs, as an operator: what is as large as the field stays in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dynaconv.ops.products import grouped_product
from dynaconv.ops.receptive_field.amounts import add_to_factor, amounts, block_of
from dynaconv.ops.receptive_field.field_blocks import FieldBlocks
from dynaconv.ops.receptive_field.window_blocks import cut
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["WeightedField"]


@dataclass(frozen=True)
class _Parts:
    """The tensors by name."""

    x: Tensor
    field_weight: Tensor
    field_shift: Tensor
    left: Tensor
    right: Tensor
    weight: Tensor


@dataclass(frozen=True)
class WeightedField:
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} a_{c,t,p} f_{c,t,p}`; an operator as `recompute.Operator` has it.

    Args:
        softmax: whether a is the product of the factors or its softmax over the taps.
    """

    softmax: bool

    TENSORS = ("x", "field_weight", "field_shift", "left", "right", "weight")

    @property
    def NAME(self) -> str:
        """See `recompute.Operator`."""
        return "softmax_weighted_field" if self.softmax else "weighted_field"

    def weight_shape(self, tensors: Sequence[Tensor | None]) -> Sequence[int]:
        """See `recompute.Operator`."""
        return _parts(tensors).weight.shape

    def forward(self, tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str) -> Tensor:
        """See `recompute.Operator`."""
        p = _parts(tensors)
        y = p.x.new_empty(p.x.shape[0], spec.out_channels, *spec.output_size(p.x.shape[2:]))
        fields, rows = _fields(p, spec), _rows(p.weight, spec)
        buffers = [fields.blocks.buffer(spec.taps) for _ in range(2)]
        for samples, features in fields:
            attention, weighted = (cut(buffer, *features.shape) for buffer in buffers)
            self._attend(p, samples, attention, weighted)
            torch.mul(features, attention, out=weighted)
            found = y[samples].transpose(0, 1)
            found.copy_(grouped_product(rows, weighted.view(spec.groups, -1, features.shape[2])).view(found.shape))
        return y

    def backward(
        self,
        gradient: Tensor,
        tensors: Sequence[Tensor | None],
        spec: ConvSpec,
        algorithm: str,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """See `recompute.Operator`."""
        p = _parts(tensors)
        fields, rows = _fields(p, spec), _rows(p.weight, spec)
        to_rows, to_left, to_right = torch.zeros_like(rows), torch.zeros_like(p.left), torch.zeros_like(p.right)
        buffers = [fields.blocks.buffer(spec.taps) for _ in range(3)]
        out = p.x.new_empty(spec.out_channels * fields.blocks.columns)
        for samples, features in fields:
            attention, one, other = (cut(buffer, *features.shape) for buffer in buffers)
            self._attend(p, samples, attention, one)
            upstream = cut(out, *rows.shape[:2], features.shape[2])
            found = gradient[samples].transpose(0, 1)
            upstream.view(found.shape).copy_(found)
            torch.mul(features, attention, out=one)
            to_rows += grouped_product(upstream, one.view(spec.groups, -1, one.shape[2]).transpose(1, 2))
            to_weighted = grouped_product(rows.transpose(1, 2), upstream).view(features.shape)
            if wanted[3] or wanted[4]:
                torch.mul(to_weighted, features, out=one)
                self._to_factors(p, (to_left, to_right), samples, attention, one, other)
            fields.lead_back(samples, features, to_weighted.mul_(attention))
        every = (*fields.gradients(), to_left, to_right, to_rows.view(p.weight.shape))
        return [g if w else None for g, w in zip(every, wanted, strict=True)]

    def formula(self, tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
        """See `recompute.Operator`."""
        p = _parts(tensors)
        field = static_conv(p.x, p.field_weight, p.field_shift, _of_field(spec)).relu()
        weighted = field * amounts(p.left, p.right, softmax=self.softmax).flatten(1, 2)
        on_field = ConvSpec.parse(field.shape[1], spec.out_channels, 1, dims=spec.dims, groups=spec.groups)
        return static_conv(weighted, p.weight.reshape(on_field.weight_shape), None, on_field)

    def _attend(self, p: _Parts, samples: slice, attention: Tensor, scratch: Tensor) -> None:
        """Write some samples' attention, `(C, T, n)`."""
        left, right = block_of(p.left, samples), block_of(p.right, samples)
        product = scratch if self.softmax else attention
        torch.mul(left, right, out=product.view(torch.broadcast_shapes(left.shape, right.shape)))
        if self.softmax:
            torch.softmax(product, 1, out=attention)

    def _to_factors(
        self,
        p: _Parts,
        totals: tuple[Tensor, Tensor],
        samples: slice,
        attention: Tensor,
        gradient: Tensor,
        scratch: Tensor,
    ) -> None:
        """Add up the factors' gradients from that of the attention, which is overwritten."""
        left, right = block_of(p.left, samples), block_of(p.right, samples)
        if self.softmax:
            gradient.mul_(attention)
            gradient.addcmul_(attention, gradient.sum(1, keepdim=True), value=-1)
        laid_out = gradient.view(torch.broadcast_shapes(left.shape, right.shape))
        add_to_factor(totals[0], samples, torch.mul(laid_out, right, out=scratch.view(laid_out.shape)))
        add_to_factor(totals[1], samples, laid_out.mul_(left))


def _fields(p: _Parts, spec: ConvSpec) -> FieldBlocks:
    return FieldBlocks(p.x, p.field_weight, p.field_shift, _of_field(spec))


def _of_field(spec: ConvSpec) -> ConvSpec:
    """The geometry of the field under a convolution of it."""
    return replace(spec, out_channels=spec.in_channels * spec.taps, groups=spec.in_channels)


def _rows(weight: Tensor, spec: ConvSpec) -> Tensor:
    """The kernel as a matrix for each group, `(g, O/g, I/g·T)`."""
    rows: Tensor = weight.flatten(1).unflatten(0, (spec.groups, -1))
    return rows


def _parts(tensors: Sequence[Tensor | None]) -> _Parts:
    given = [tensor for tensor in tensors if tensor is not None]
    return _Parts(*given)
