"""`dense_conv` as one batched matrix product: windows as columns, kernels as rows. For small maps and 1×1 kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.ops.patches import columns, from_columns, new_output
from dynaconv.spec import ConvSpec

__all__ = ["forward", "input_gradient", "weight_gradient"]


def forward(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """A product per sample and group: `x (B, I, *S)`, `weight (B, O, I/g, *k)` → `(B, O, *S_out)`."""
    y, flat = new_output(x, spec)
    flat.copy_(torch.bmm(_rows(weight, spec), columns(x, spec)).view_as(flat))
    return y


def input_gradient(gradient: Tensor, weight: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """The gradient of `x`, `(B, I, *S)`, from `gradient (B, O, *S_out)`."""
    return from_columns(torch.bmm(_rows(weight, spec).transpose(1, 2), _flat(gradient, spec)), size, spec)


def weight_gradient(gradient: Tensor, x: Tensor, spec: ConvSpec) -> Tensor:
    """The gradient of the weight, `(B, O, I/g, *k)`, from `gradient (B, O, *S_out)`."""
    found = torch.bmm(_flat(gradient, spec), columns(x, spec).transpose(1, 2))
    return found.reshape(x.shape[0], *spec.weight_shape)


def _rows(weight: Tensor, spec: ConvSpec) -> Tensor:
    """`(B, O, I/g, *k)` → `(B·g, O/g, n)`."""
    return weight.reshape(weight.shape[0] * spec.groups, spec.out_channels // spec.groups, -1)


def _flat(gradient: Tensor, spec: ConvSpec) -> Tensor:
    """`(B, O, *S_out)` → `(B·g, O/g, P)`."""
    grouped: Tensor = gradient.flatten(2).unflatten(1, (spec.groups, -1))
    return grouped.flatten(0, 1)
