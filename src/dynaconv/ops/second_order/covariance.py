"""Covariance pooling: a map becomes the covariance of its channels over all positions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dynaconv.errors import ShapeError
from dynaconv.ops.second_order.checks import check_floating
from dynaconv.ops.second_order.precision import full_precision, widened

__all__ = ["covariance_pool"]


def covariance_pool(x: Tensor) -> Tensor:
    """Covariance of the channels over all N positions: `Σ = (1/N) X (I − 11ᵀ/N) Xᵀ`, symmetric, positive semidefinite.

    One matrix product each way; only `x` is kept for the backward pass. All derivatives are supported.

    Args:
        x: `(B, C, *S)` with at least one position.

    Returns:
        `(B, C, C)` in the type of `x`, in float32 where that is shorter: a covariance squares the range of its input.

    Raises:
        ShapeError: fewer than three dimensions, or a map without positions.
        ArgumentError: `x` is not of a floating-point type.

    Source: Li et al., 1712.01034, section 3.1.

    Example:
        >>> x = torch.randn(2, 3, 8, 8)
        >>> torch.allclose(covariance_pool(x)[0], torch.cov(x[0].flatten(1), correction=0), atol=1e-6)
        True
    """
    if x.dim() < 3 or 0 in x.shape[2:]:
        raise ShapeError("x", x.shape, "(B, C, *S) with at least one position")
    check_floating("x", x)
    covariance: Tensor = _Covariance.apply(widened(x.flatten(2)))
    return covariance


class _Covariance(torch.autograd.Function):
    """`(B, C, N)` → `(B, C, C)`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        with full_precision(x):
            centred = _centred(x)
            return centred @ centred.mT / x.shape[-1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        with full_precision(x):
            to_x: Tensor = (gradient + gradient.mT) @ _centred(x) / x.shape[-1]
            return to_x


def _centred(x: Tensor) -> Tensor:
    # Centring before multiplying keeps all digits where the mean is large beside the deviations.
    return x - x.mean(-1, keepdim=True)
