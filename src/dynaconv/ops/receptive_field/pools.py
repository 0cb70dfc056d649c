"""What attentions read of a field, without the field: extremes and means of channels, or means of rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dynaconv.native.field import Field
from dynaconv.ops.receptive_field.compiled import can_run, compiled_field, gradients_of
from dynaconv.ops.receptive_field.field_blocks import FieldBlocks
from dynaconv.ops.receptive_field.window_blocks import cut
from dynaconv.ops.recompute import present
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["FieldPool", "PoolKind", "pool"]

PoolKind = Literal["channels", "lines"]


def pool(field: Tensor, kind: PoolKind) -> Tensor:
    """What `field_pool` gives, of a field that is there.

    Args:
        field: `(B, C, kh, kw, H, W)`.
        kind: `"channels"` or `"lines"`.

    Returns:
        `(B, 2, kh, kw, H, W)` or `(B, C, kh·H + kw·W)`.
    """
    if kind == "channels":
        return torch.stack([field.amax(1), field.mean(1)], dim=1)
    return torch.cat([field.mean((3, 5)).flatten(2), field.mean((2, 4)).flatten(2)], dim=2)


@dataclass(frozen=True)
class FieldPool:
    """`pool` of `f = ReLU(w * x + b)`; an operator as `recompute.Operator` has it.

    Args:
        kind: `"channels"` or `"lines"`.
    """

    kind: PoolKind

    TENSORS = ("x", "weight", "shift")

    @property
    def NAME(self) -> str:
        """See `recompute.Operator`."""
        return f"field_{self.kind}"

    def weight_shape(self, tensors: Sequence[Tensor | None]) -> Sequence[int]:
        """See `recompute.Operator`."""
        return present(tensors)[1].shape

    def output_shape(self, tensors: Sequence[Tensor | None], spec: ConvSpec) -> Sequence[int]:
        """The shape of what `pool` returns."""
        x, _, _ = present(tensors)
        (height, width), size = spec.kernel_size, spec.output_size(x.shape[2:])
        if self.kind == "channels":
            return (x.shape[0], 2, height, width, *size)
        return (x.shape[0], x.shape[1], height * size[0] + width * size[1])

    def forward(self, tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str) -> Tensor:
        """See `recompute.Operator`."""
        x, weight, shift = present(tensors)
        if can_run(x, spec):
            return _compiled_pool(compiled_field(x, weight, shift, spec), self.kind)
        pooled = x.new_empty(self.output_shape(tensors, spec))
        size = spec.output_size(x.shape[2:])
        for samples, features in FieldBlocks(x, weight, shift, spec):
            by_sample = features.view(x.shape[1], *spec.kernel_size, -1, *size).movedim(3, 0)
            pooled[samples] = pool(by_sample, self.kind)
        return pooled

    def backward(
        self,
        gradient: Tensor,
        tensors: Sequence[Tensor | None],
        spec: ConvSpec,
        algorithm: str,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """See `recompute.Operator`."""
        x, weight, shift = present(tensors)
        find = _compiled_gradients if can_run(x, spec) else _plain_gradients
        found = find(gradient, x, weight, shift, spec, self.kind)
        return [g if w else None for g, w in zip(found, wanted, strict=True)]

    def formula(self, tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
        """See `recompute.Operator`."""
        x, weight, shift = present(tensors)
        field = static_conv(x, weight, shift, spec).relu()
        return pool(field.unflatten(1, (x.shape[1], *spec.kernel_size)), self.kind)


def _plain_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, shift: Tensor, spec: ConvSpec, kind: PoolKind
) -> tuple[Tensor, Tensor, Tensor]:
    size = spec.output_size(x.shape[2:])
    fields = FieldBlocks(x, weight, shift, spec)
    buffer = fields.blocks.buffer(spec.taps)
    to_field = _channel_gradient if kind == "channels" else _line_gradient
    for samples, features in fields:
        laid_out = features.view(x.shape[1], *spec.kernel_size, -1, *size)
        found = cut(buffer, *features.shape)
        to_field(gradient[samples], laid_out, found.view(laid_out.shape))
        fields.lead_back(samples, features, found)
    return fields.gradients()


def _compiled_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, shift: Tensor, spec: ConvSpec, kind: PoolKind
) -> tuple[Tensor, Tensor, Tensor]:
    fields = compiled_field(x, weight, shift, spec)
    if kind == "channels":
        greatest, ties = fields.greatest(ties=True).unsqueeze(2).unbind(1)
        of_greatest, of_mean = gradient.unsqueeze(2).unbind(1)
        fields.greatest_back(of_greatest / ties, of_mean / x.shape[1], greatest)
    else:
        fields.lines_back(*_by_line(gradient, spec.kernel_size, spec.output_size(x.shape[2:])))
    return gradients_of(fields, x, weight, spec)


def _compiled_pool(fields: Field, kind: PoolKind) -> Tensor:
    if kind == "channels":
        return fields.greatest(ties=False)
    rows, columns = fields.lines()
    height, width, size = rows.shape[2], columns.shape[3], (rows.shape[4], columns.shape[5])
    return torch.cat([rows.flatten(2) / (width * size[1]), columns.flatten(2) / (height * size[0])], dim=2)


def _channel_gradient(gradient: Tensor, field: Tensor, found: Tensor) -> None:
    """Write a field's gradient, `(C, kh, kw, b, H, W)`, from that of extremes and means; equal extremes share it."""
    of_greatest, of_mean = gradient.permute(1, 2, 3, 0, 4, 5)
    torch.eq(field, field.amax(0), out=found)
    found.mul_(of_greatest / found.sum(0)).add_(of_mean, alpha=1 / field.shape[0])


def _line_gradient(gradient: Tensor, field: Tensor, found: Tensor) -> None:
    """Write a field's gradient, `(C, kh, kw, b, H, W)`, from that of its lines."""
    by_row, by_column = _by_line(gradient, field.shape[1:3], field.shape[4:])
    torch.add(by_row.permute(1, 2, 3, 0, 4, 5), by_column.permute(1, 2, 3, 0, 4, 5), out=found)


def _by_line(gradient: Tensor, kernel_size: Sequence[int], size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """What every feature's gradient is the sum of: `(B, C, kh, 1, H, 1)` and `(B, C, 1, kw, 1, W)`."""
    height, width = kernel_size
    rows, columns = gradient.split([height * size[0], width * size[1]], dim=2)
    by_row = rows.unflatten(2, (height, 1, size[0], 1)) / (width * size[1])
    return by_row, columns.unflatten(2, (1, width, 1, size[1])) / (height * size[0])
