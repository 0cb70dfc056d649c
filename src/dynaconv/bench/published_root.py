"""Covariance and its root as published code computes them: the form that ours is compared with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["published_covariance", "published_root"]


def published_covariance(x: Tensor, count: int | None = None) -> Tensor:
    """`X Ī Xᵀ` with `Ī = (1/M)(I − 11ᵀ/M)` written out as a matrix: `(B, d, N)` → `(B, d, d)`.

    Args:
        x: `(B, d, N)`.
        count: M; N by default.
    """
    covariance: Tensor = _Covariance.apply(x, count or x.shape[-1])
    return covariance


def published_root(a: Tensor, iterations: int) -> Tensor:
    """`√tr(A) · Y_n` of symmetric matrices, all iterates kept for a backward pass of matrix products.

    The backward pass is right for symmetric upstream gradients.

    Args:
        a: `(B, d, d)`, symmetric.
        iterations: n, at least 2.

    Source: Li et al., 1712.01034, section 3.3.
    """
    root: Tensor = _Root.apply(a, iterations)
    return root


class _Covariance(torch.autograd.Function):
    """Two products each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int) -> Tensor:
        positions = x.shape[-1]
        identity, ones = torch.eye(positions, dtype=x.dtype), torch.ones(positions, positions, dtype=x.dtype)
        centring = ((identity - ones / count) / count).expand(len(x), -1, -1)
        ctx.save_for_backward(x, centring)
        return x.bmm(centring).bmm(x.mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, centring = ctx.saved_tensors
        return (gradient + gradient.mT).bmm(x).bmm(centring), None


class _Root(torch.autograd.Function):
    """`Y ← ½Y(3I − ZY)`, `Z ← ½(3I − ZY)Z` from `Y = A / tr(A)`, `Z = I`."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, iterations: int) -> Tensor:
        batch, size, _ = a.shape
        trace = a.diagonal(dim1=1, dim2=2).sum(1).view(batch, 1, 1)
        three = 3 * torch.eye(size, dtype=a.dtype)
        ys, zs = (a.new_zeros(batch, iterations - 1, size, size) for _ in range(2))
        unit = a / trace
        t = 0.5 * (three - unit)
        ys[:, 0], zs[:, 0] = unit.bmm(t), t
        for step in range(1, iterations - 1):
            y, z = ys[:, step - 1], zs[:, step - 1]
            t = 0.5 * (three - z.bmm(y))
            ys[:, step], zs[:, step] = y.bmm(t), t.bmm(z)
        y, z = ys[:, -1], zs[:, -1]
        last = 0.5 * y.bmm(three - z.bmm(y))
        ctx.save_for_backward(a, last, trace, ys, zs)
        return last * trace.sqrt()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        a, last, trace, ys, zs = ctx.saved_tensors
        three = 3 * torch.eye(a.shape[-1], dtype=a.dtype)
        to_y = gradient * trace.sqrt()
        to_trace = _inner(gradient, last) / (2 * trace.sqrt())
        to_z = torch.zeros_like(to_y)
        for step in reversed(range(ys.shape[1])):
            y, z = ys[:, step], zs[:, step]
            rest, zy = three - y.bmm(z), z.bmm(y)
            # The last iteration made no Z.
            from_z = z.bmm(to_z).bmm(z) if step < ys.shape[1] - 1 else 0
            both = 0 if step == ys.shape[1] - 1 else rest.bmm(to_z) - to_z.bmm(zy)
            to_y, to_z = (
                0.5 * (to_y.bmm(rest) - zy.bmm(to_y) - from_z),
                0.5 * (both - y.bmm(to_y).bmm(y)),
            )
        unit = a / trace
        to_unit = 0.5 * (to_y.bmm(three - unit) - unit.bmm(to_y) - to_z)
        to_trace = to_trace - _inner(to_unit, a) / trace.square()
        return to_unit / trace + to_trace * torch.eye(a.shape[-1], dtype=a.dtype), None


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2), keepdim=True)
