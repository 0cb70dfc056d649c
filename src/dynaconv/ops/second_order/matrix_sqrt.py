"""Square root of covariances: normalise, iterate or decompose, compensate."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.errors import ArgumentError
from dynaconv.ops.second_order.checks import check_square
from dynaconv.ops.second_order.eigen import eigen_sqrt
from dynaconv.ops.second_order.newton_schulz import newton_schulz
from dynaconv.ops.second_order.precision import widened

__all__ = ["matrix_sqrt"]


def matrix_sqrt(a: Tensor, iterations: int | None = 5) -> Tensor:
    """The square root of symmetric positive semidefinite matrices, approximate by iteration or exact.

    `√tr(A) · Y_n` with `Y_n` from n Newton–Schulz iterations that start at `A / tr(A)`. After few iterations this is
    far from the square root for eigenvalues that are small beside the trace (`docs/second-order-pooling.md` has a
    table); networks are trained with the iteration as it is. Singular matrices are fine, the root of zero is zero, and
    numbers of any magnitude keep their digits. The gradient is that of the iteration run, for any upstream gradient;
    memory does not grow with the iterations.

    Args:
        a: `(..., d, d)`.
        iterations: n, at least 1; `None` for the exact root by eigen-decomposition, much slower, which takes the
            symmetric part of `a` and counts negative eigenvalues as zero.

    Returns:
        `(..., d, d)` in the type of `a`, in float32 where that is shorter.

    Raises:
        ShapeError: `a` is not square.
        ArgumentError: `a` is not of a floating-point type, or `iterations` is not an integer >= 1 or `None`.

    Source: Li et al., 1712.01034, section 3.2; exact form 1703.08050 with power 1/2.

    Example:
        >>> root = matrix_sqrt(torch.diag(torch.tensor([1.0, 4.0, 9.0])), iterations=12)
        >>> root.diagonal().round(decimals=4)
        tensor([1., 2., 3.])
    """
    check_square(a)
    if iterations is not None and (not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1):
        raise ArgumentError("iterations", iterations, "an integer >= 1, or None for the exact root")
    a = widened(a)
    size = a.shape[-1]
    flat = a.reshape(-1, size, size)
    # The result does not depend on this scale, so it is a constant to the gradient; the trace alone could overflow.
    scale = _nonzero(flat.detach().abs().amax((1, 2), keepdim=True))
    flat = flat / scale
    trace = _nonzero(flat.diagonal(dim1=1, dim2=2).sum(1)[:, None, None])
    unit = flat / trace
    root = eigen_sqrt(unit) if iterations is None else newton_schulz(unit, iterations)
    return (root * trace.sqrt() * scale.sqrt()).reshape(a.shape)


def _nonzero(norm: Tensor) -> Tensor:
    """One in place of zero: the root of a zero matrix is then zero, with a finite gradient."""
    return torch.where(norm == 0, 1, norm)
