"""`dense_conv` for export: one batched product of windows and kernels; single channels tap by tap."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.ops.maps import on_map
from dynaconv.ops.slices import slices
from dynaconv.spec import ConvSpec

__all__ = ["forward"]


def forward(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """`x (B, I, *S)`, `weight (B, O, I/g, *k)` → `(B, O, *S_out)`."""
    under = slices(x, spec)
    if spec.groups == spec.in_channels == spec.out_channels:
        amounts = weight.flatten(2).unbind(2)
        y = under[0] * on_map(amounts[0], x)
        for pixels, amount in zip(under[1:], amounts[1:], strict=True):
            y = y + pixels * on_map(amount, x)
        return y
    # (B, g, I/g·T, P)
    columns = torch.stack(under, dim=2).flatten(3).unflatten(1, (spec.groups, -1)).flatten(2, 3)
    rows = weight.flatten(2).unflatten(1, (spec.groups, -1))
    y: Tensor = (rows @ columns).reshape(x.shape[0], spec.out_channels, *under[0].shape[2:])
    return y
