"""The exact square root of a symmetric positive semidefinite matrix, by eigen-decomposition."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dynaconv.ops.second_order.precision import full_precision

__all__ = ["eigen_sqrt"]


def eigen_sqrt(a: Tensor) -> Tensor:
    """`U diag(√λ) Uᵀ` of the symmetric part `½(A + Aᵀ) = U diag(λ) Uᵀ`.

    Eigenvalues that rounding cannot tell from zero, and negative ones, count as zero. Where two eigenvalues are zero
    the root has no derivative; zero stands in for it, so that gradients of rank-deficient matrices are finite.

    Args:
        a: `(..., d, d)`.
    """
    root: Tensor = _EigenSqrt.apply(a)[0]
    return root


class _EigenSqrt(torch.autograd.Function):
    """The root R, and as constants what describes it: eigenvectors U and eigenvalues s of R."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with full_precision(a):
            values, vectors = torch.linalg.eigh((a + a.mT) / 2)
            noise = torch.finfo(a.dtype).eps * a.shape[-1] * values.amax(-1, keepdim=True)
            roots = torch.where(values > noise, values, 0).sqrt()
            return (vectors * roots.unsqueeze(-2)) @ vectors.mT, vectors, roots

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *constants: Tensor) -> Tensor:
        # R R = A gives dR R + R dR = dA: a Lyapunov equation, whose solution is its own adjoint in dA.
        root, vectors, roots = ctx.saved_tensors
        solved: Tensor = _Lyapunov.apply(root, (gradient + gradient.mT) / 2, vectors, roots)
        return solved


class _Lyapunov(torch.autograd.Function):
    """The S with `R S + S R = G` for a symmetric R given with its eigenvectors and eigenvalues."""

    generate_vmap_rule = True

    @staticmethod
    def forward(root: Tensor, g: Tensor, vectors: Tensor, roots: Tensor) -> Tensor:
        with full_precision(g):
            sums = roots.unsqueeze(-1) + roots.unsqueeze(-2)
            inverse = torch.where(sums > 0, 1 / sums, 0)
            return vectors @ (vectors.mT @ g @ vectors * inverse) @ vectors.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        root, _, vectors, roots = inputs
        ctx.save_for_backward(root, vectors, roots, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        root, vectors, roots, solved = ctx.saved_tensors
        with full_precision(gradient):
            to_g: Tensor = _Lyapunov.apply(root, gradient, vectors, roots)
            return -(to_g @ solved.mT + solved.mT @ to_g), to_g, None, None
