"""Numbers per channel on maps."""

from __future__ import annotations

from torch import Tensor

__all__ = ["on_map", "with_bias"]


def on_map(values: Tensor, maps: Tensor) -> Tensor:
    """`(C,)` or `(b, C)` → `(..., C, 1, ...)`, to meet `maps: (b, C, *S)`."""
    return values.reshape(*values.shape, *(1 for _ in maps.shape[2:]))


def with_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    """`y: (B, O, *S_out)` plus a bias `(O,)` or `(B, O)`, in the type of `y`."""
    return y if bias is None else y + on_map(bias.to(y.dtype), y)
