"""The attention on a field as two factors: their product, and what a gradient of the product is to them."""

from __future__ import annotations

from torch import Tensor

__all__ = ["add_to_factor", "amounts", "block_of"]


def amounts(left: Tensor, right: Tensor, *, softmax: bool) -> Tensor:
    """`left · right`, or its softmax over the taps; in the longer type of the two.

    Args:
        left: `(B, C, kh, kw, H, W)`, where any dimension may be one.
        right: likewise.
        softmax: over kh and kw together.

    Returns:
        `(B, C, kh·kw, H, W)`.
    """
    product = (left * right).flatten(2, 3)
    return product.softmax(2) if softmax else product


def block_of(factor: Tensor, samples: slice) -> Tensor:
    """The part of a factor that some samples need, in the order of their columns: `(C, kh, kw, b, H, W)`."""
    part = factor if factor.shape[0] == 1 else factor[samples]
    return part.permute(1, 2, 3, 0, 4, 5)


def add_to_factor(total: Tensor, samples: slice, gradient: Tensor) -> None:
    """Add the gradient of the product times the other factor, `(C, kh, kw, b, H, W)`, to this factor's gradient."""
    part = block_of(total, samples)
    part += gradient.sum_to_size(part.shape)
