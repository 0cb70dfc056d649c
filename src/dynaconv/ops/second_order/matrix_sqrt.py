"""Square root of covariances: normalise, iterate or decompose, compensate."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from dynaconv.errors import ArgumentError
from dynaconv.ops.second_order.checks import check_square
from dynaconv.ops.second_order.eigen import eigen_sqrt
from dynaconv.ops.second_order.newton_schulz import newton_schulz
from dynaconv.ops.second_order.precision import widened
from dynaconv.ops.second_order.spectral import spectral_newton_schulz

__all__ = ["RootAlgorithm", "matrix_sqrt"]

RootAlgorithm = Literal["auto", "products", "eigen"]

# Where training is faster on eigenvalues: from this size on, as measured with one and two threads. LAPACK takes the
# matrices of a batch one after another, while products are spread over all threads.
_LEAST_SIZE, _MOST_THREADS = 64, 4


def matrix_sqrt(a: Tensor, iterations: int | None = 5, *, algorithm: RootAlgorithm = "auto") -> Tensor:
    """The square root of symmetric positive semidefinite matrices, approximate by iteration or exact.

    `√tr(A) · Y_n` with `Y_n` from n Newton–Schulz iterations that start at `A / tr(A)`. After few iterations this is
    far from the square root for eigenvalues that are small beside the trace (`docs/second-order-pooling.md` has a
    table); networks are trained with the iteration as it is. Singular matrices are fine, the root of zero is zero, and
    numbers of any magnitude keep their digits. The gradient is that of the iteration run, for any upstream gradient;
    memory does not grow with the iterations.

    Args:
        a: `(..., d, d)`.
        iterations: n, at least 1; `None` for the exact root by eigen-decomposition, which takes the
            symmetric part of `a` and counts negative eigenvalues as zero.
        algorithm: how the iterations are computed: `"products"` of matrices, or on the eigenvalues of the symmetric
            part, `"eigen"`. Both give the same up to rounding. `"auto"` takes eigenvalues where that is faster, for
            training on few CPU threads, and products elsewhere.

    Returns:
        `(..., d, d)` in the type of `a`, in float32 where that is shorter.

    Raises:
        ShapeError: `a` is not square.
        ArgumentError: `a` is not of a floating-point type, `iterations` is not an integer >= 1 or `None`, or there is
            no such algorithm; the exact root has `"eigen"` alone.

    Source: Li et al., 1712.01034, section 3.2; exact form 1703.08050 with power 1/2.

    Example:
        >>> root = matrix_sqrt(torch.diag(torch.tensor([1.0, 4.0, 9.0])), iterations=12)
        >>> root.diagonal().round(decimals=4)
        tensor([1., 2., 3.])
    """
    check_square(a)
    if iterations is not None and (not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1):
        raise ArgumentError("iterations", iterations, "an integer >= 1, or None for the exact root")
    if algorithm not in get_args(RootAlgorithm) or (iterations is None and algorithm == "products"):
        allowed = '"auto" or "eigen", for the exact root' if iterations is None else '"auto", "products" or "eigen"'
        raise ArgumentError("algorithm", algorithm, allowed)
    a = widened(a)
    size = a.shape[-1]
    flat = a.reshape(-1, size, size)
    # The result does not depend on this scale, so it is a constant to the gradient; the trace alone could overflow.
    scale = _nonzero(flat.detach().abs().amax((1, 2), keepdim=True))
    flat = flat / scale
    trace = _nonzero(flat.diagonal(dim1=1, dim2=2).sum(1)[:, None, None])
    root = _unit_root(flat / trace, iterations, algorithm)
    return (root * (trace.sqrt() * scale.sqrt())).reshape(a.shape)


def _unit_root(a: Tensor, iterations: int | None, algorithm: RootAlgorithm) -> Tensor:
    """The root of matrices of trace 1."""
    if iterations is not None and (algorithm == "products" or (algorithm == "auto" and not _eigen_is_faster(a))):
        return newton_schulz(a, iterations)
    # LAPACK refuses what is not finite; its trace or scale makes the result NaN all the same.
    a = torch.where(a.isfinite().all(2, keepdim=True).all(1, keepdim=True), a, 0)
    return eigen_sqrt(a) if iterations is None else spectral_newton_schulz(a, iterations)


def _eigen_is_faster(a: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()
        and a.device.type == "cpu"
        and a.requires_grad
        and torch.is_grad_enabled()
        and a.shape[-1] >= _LEAST_SIZE
        and torch.get_num_threads() <= _MOST_THREADS
    )


def _nonzero(norm: Tensor) -> Tensor:
    """One in place of zero: the root of a zero matrix is then zero, with a finite gradient."""
    return torch.where(norm == 0, 1, norm)
