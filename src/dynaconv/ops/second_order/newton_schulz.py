"""Newton–Schulz iteration for the square root of a matrix whose eigenvalues lie between 0 and 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dynaconv.ops.second_order.precision import full_precision

__all__ = ["newton_schulz", "newton_schulz_tangent"]


def newton_schulz(a: Tensor, iterations: int) -> Tensor:
    """`Y_n` of `Y_0 = A, Z_0 = I, T = ½(3I − Z Y), Y ← Y T, Z ← T Z`, which tends to the square root of A.

    Args:
        a: `(B, d, d)`, eigenvalues between 0 and 1.
        iterations: n, at least 1.
    """
    root: Tensor = _NewtonSchulz.apply(a, iterations)
    return root


class _NewtonSchulz(torch.autograd.Function):
    """The iteration; it keeps A alone, however long it runs.

    `Y_n` is a polynomial p of the one matrix A, and the adjoint of p's derivative at A is p's derivative at Aᵀ. So the
    backward pass is the iteration once more, at Aᵀ, carrying the tangent that starts as the upstream gradient: exact
    for the iteration actually run and for every upstream gradient, with nothing stored on the way.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, iterations: int) -> Tensor:
        with full_precision(a):
            return _iterate(a, iterations)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        a, ctx.iterations = inputs
        ctx.save_for_backward(a)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (a,) = ctx.saved_tensors
        return newton_schulz_tangent(a.mT, gradient, ctx.iterations), None


def newton_schulz_tangent(a: Tensor, da: Tensor, iterations: int) -> Tensor:
    """How `newton_schulz(a, iterations)` changes as `a` moves along `da`, both `(B, d, d)`; differentiable."""
    with full_precision(a):
        identity = _scaled_identity(a)
        t, dt = identity - 0.5 * a, -0.5 * da
        y, dy, z, dz = a @ t, _product_rule(a, da, t, dt), t, dt
        for step in range(1, iterations):
            t, dt = torch.baddbmm(identity, z, y, alpha=-0.5), _product_rule(z, dz, y, dy, scale=-0.5)
            dy = _product_rule(y, dy, t, dt)
            if step < iterations - 1:
                y, z, dz = y @ t, t @ z, _product_rule(t, dt, z, dz)
        return dy


def _iterate(a: Tensor, iterations: int) -> Tensor:
    identity = _scaled_identity(a)
    t = identity - 0.5 * a
    y, z = a @ t, t
    for _ in range(iterations - 2):
        t = torch.baddbmm(identity, z, y, alpha=-0.5)
        y, z = y @ t, t @ z
    # The last step needs no Z.
    return y @ torch.baddbmm(identity, z, y, alpha=-0.5) if iterations > 1 else y


def _scaled_identity(like: Tensor) -> Tensor:
    """`3/2 I`, what every T begins with."""
    return 1.5 * torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _product_rule(a: Tensor, da: Tensor, b: Tensor, db: Tensor, scale: float = 1.0) -> Tensor:
    """`scale · (dA B + A dB)`."""
    return torch.baddbmm(da @ b, a, db, beta=scale, alpha=scale)
