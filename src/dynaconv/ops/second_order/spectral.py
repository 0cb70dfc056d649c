"""The Newton–Schulz iteration of symmetric matrices, run on their eigenvalues."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dynaconv.ops.second_order.newton_schulz import newton_schulz_tangent
from dynaconv.ops.second_order.precision import full_precision

__all__ = ["spectral_newton_schulz"]

_CACHED_NUMBERS = 2**16


def spectral_newton_schulz(a: Tensor, iterations: int) -> Tensor:
    """What `newton_schulz` gives for the symmetric part `U diag(λ) Uᵀ` of A: `U diag(p(λ)) Uᵀ`, p the n iterations.

    Args:
        a: `(B, d, d)`, finite, eigenvalues between 0 and 1.
        iterations: n, at least 1.
    """
    root: Tensor = _Spectral.apply((a + a.mT) / 2, iterations)[0]
    return root


class _Spectral(torch.autograd.Function):
    """`p(A)`, and as constants the eigenvectors and eigenvalues of A.

    The derivative of p at A, along G, is `U (D ⊙ Uᵀ G U) Uᵀ` with D the divided differences of p between eigenvalues.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
        with full_precision(a):
            values, vectors = torch.linalg.eigh(a)
            return (vectors * _iterate(values, iterations).unsqueeze(-2)) @ vectors.mT, vectors, values

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: tuple[Tensor, Tensor, Tensor]) -> None:
        a, ctx.iterations = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(a, *output[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *constants: Tensor) -> tuple[Tensor, None]:
        a, vectors, values = ctx.saved_tensors
        if torch.is_grad_enabled():
            # This gradient may be differentiated again: in products, which autograd can follow.
            return newton_schulz_tangent(a, gradient, ctx.iterations), None
        with full_precision(a):
            inner = vectors.mT @ gradient @ vectors
            # A few matrices at a time: their differences stay in the cache.
            count = max(1, _CACHED_NUMBERS // a.shape[-1] ** 2)
            for matrices, some in zip(inner.split(count), values.split(count), strict=True):
                matrices *= _divided_differences(some, ctx.iterations)
            return vectors @ inner @ vectors.mT, None


def _iterate(values: Tensor, iterations: int) -> Tensor:
    """The iteration on numbers."""
    y, z = values, torch.ones_like(values)
    for _ in range(iterations):
        t = 1.5 - 0.5 * z * y
        y, z = y * t, t * z
    return y


def _divided_differences(values: Tensor, iterations: int) -> Tensor:
    """`(p(λ_i) − p(λ_j)) / (λ_i − λ_j)`, for equal values the derivative: `(B, d)` → `(B, d, d)`.

    Carried along by the rule for products, `(f g)[i, j] = f[i, j] g_j + f_i g[i, j]`: nothing is subtracted, no digits
    are lost between close values.
    """
    y, z = values, torch.ones_like(values)
    dy = values.new_ones(*values.shape, values.shape[-1])
    dz = torch.zeros_like(dy)
    for _ in range(iterations):
        t = 1.5 - 0.5 * z * y
        dt = torch.addcmul(_by_column(-0.5 * y) * dz, _by_row(-0.5 * z), dy)
        dy = torch.addcmul(_by_column(t) * dy, _by_row(y), dt)
        dz = torch.addcmul(_by_column(z) * dt, _by_row(t), dz)
        y, z = y * t, t * z
    return dy


def _by_row(values: Tensor) -> Tensor:
    """`(B, d)` → `(B, d, 1)`."""
    return values.unsqueeze(2)


def _by_column(values: Tensor) -> Tensor:
    """`(B, d)` → `(B, 1, d)`."""
    return values.unsqueeze(1)
