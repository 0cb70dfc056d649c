"""`dense_conv` for export: every sample's windows times its kernel, as one batched product."""

from __future__ import annotations

from torch import Tensor

from dynaconv.ops.exported import pixels_under
from dynaconv.ops.maps import on_map
from dynaconv.spec import ConvSpec

__all__ = ["forward"]


def forward(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """`x (B, I, *S)`, `weight (B, O, I/g, *k)` → `(B, O, *S_out)`."""
    under = pixels_under(x, spec)
    if spec.groups == spec.in_channels == spec.out_channels:
        # A number per sample, channel and tap: nothing to multiply as matrices.
        return (under * on_map(weight.flatten(2), x)).sum(2)
    columns = under.flatten(3).unflatten(1, (spec.groups, -1)).flatten(2, 3)
    rows = weight.flatten(2).unflatten(1, (spec.groups, -1))
    y: Tensor = (rows @ columns).reshape(x.shape[0], spec.out_channels, *under.shape[3:])
    return y
