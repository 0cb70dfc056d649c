"""A kernel on a field that an attention weighs, as an operator: what is as large as the field stays in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dynaconv.ops.products import grouped_product
from dynaconv.ops.receptive_field.amounts import amounts
from dynaconv.ops.receptive_field.compiled import CompiledWeighing, can_run
from dynaconv.ops.receptive_field.weighing import Weighing
from dynaconv.ops.receptive_field.window_blocks import cut
from dynaconv.ops.recompute import present
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
        rows = _rows(p.weight, spec)
        for samples, weighted in self._weighing(p, spec, wanted=False):
            found = y[samples].transpose(0, 1)
            columns = weighted.view(spec.groups, -1, weighted.shape[2])
            found.copy_(grouped_product(rows, columns).view(found.shape))
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
        rows, weighing = _rows(p.weight, spec), self._weighing(p, spec, wanted=wanted[3] or wanted[4])
        to_rows, out = torch.zeros_like(rows), p.x.new_empty(spec.out_channels * weighing.columns)
        for samples, weighted in weighing:
            columns = weighted.view(spec.groups, -1, weighted.shape[2])
            upstream = cut(out, *rows.shape[:2], columns.shape[2])
            found = gradient[samples].transpose(0, 1)
            upstream.view(found.shape).copy_(found)
            to_rows += grouped_product(upstream, columns.transpose(1, 2))
            weighing.lead_back(samples, grouped_product(rows.transpose(1, 2), upstream).view(weighted.shape))
        every = (*weighing.gradients(), to_rows.view(p.weight.shape))
        return [g if w else None for g, w in zip(every, wanted, strict=True)]

    def formula(self, tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
        """See `recompute.Operator`."""
        p = _parts(tensors)
        field = static_conv(p.x, p.field_weight, p.field_shift, _of_field(spec)).relu()
        weighted = field * amounts(p.left, p.right, softmax=self.softmax).flatten(1, 2)
        on_field = ConvSpec.parse(field.shape[1], spec.out_channels, 1, dims=spec.dims, groups=spec.groups)
        return static_conv(weighted, p.weight.reshape(on_field.weight_shape), None, on_field)

    def _weighing(self, p: _Parts, spec: ConvSpec, *, wanted: bool) -> Weighing | CompiledWeighing:
        """The features under their attention; `wanted`: gradients of a factor are."""
        of_field = _of_field(spec)
        make = CompiledWeighing if can_run(p.x, of_field) else Weighing
        made_by = (p.x, p.field_weight, p.field_shift)
        return make(made_by, (p.left, p.right), of_field, softmax=self.softmax, wanted=wanted)


def _of_field(spec: ConvSpec) -> ConvSpec:
    """The geometry of the field under a convolution of it."""
    return replace(spec, out_channels=spec.in_channels * spec.taps, groups=spec.in_channels)


def _rows(weight: Tensor, spec: ConvSpec) -> Tensor:
    """The kernel as a matrix for each group, `(g, O/g, I/g·T)`."""
    rows: Tensor = weight.flatten(1).unflatten(0, (spec.groups, -1))
    return rows


def _parts(tensors: Sequence[Tensor | None]) -> _Parts:
    return _Parts(*present(tensors))
