"""Singular, zero, huge and tiny matrices, short types, bad input."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.ops import covariance_pool, matrix_sqrt, upper_triangle
from dynaconv.ops.second_order.matrix_sqrt import RootAlgorithm

ROOTS = pytest.mark.parametrize("iterations", [1, 5, None])


def with_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Output and input gradient for an upstream gradient in the upper triangle alone; both finite."""
    x = x.clone().requires_grad_()
    y = function(x)
    (gradient,) = torch.autograd.grad(y, x, torch.ones_like(y).triu())
    assert y.isfinite().all()
    assert gradient.isfinite().all()
    return y, gradient


@ROOTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fewer_positions_than_channels(iterations: int | None, dtype: torch.dtype) -> None:
    x = torch.randn(2, 12, 2, 2).to(dtype)
    root, _ = with_gradient(lambda x: matrix_sqrt(covariance_pool(x), iterations), x)
    if iterations is None:
        torch.testing.assert_close(root @ root, covariance_pool(x))


@ROOTS
def test_constant_maps(iterations: int | None) -> None:
    x = torch.ones(2, 4, 3, 3)
    root, gradient = with_gradient(lambda x: matrix_sqrt(covariance_pool(x), iterations), x)
    assert not root.any()
    assert not gradient.any()


@ROOTS
def test_one_pixel(iterations: int | None) -> None:
    root, _ = with_gradient(lambda x: matrix_sqrt(covariance_pool(x), iterations), torch.randn(2, 4, 1, 1))
    assert not root.any()


@ROOTS
@pytest.mark.parametrize("exponent", [-50, -30, 30, 58])
def test_any_magnitude(iterations: int | None, exponent: int) -> None:
    scale = 2.0**exponent
    a = covariance_pool(torch.randn(2, 6, 5, 5))
    root, gradient = with_gradient(lambda a: matrix_sqrt(a, iterations), a)
    scaled, scaled_gradient = with_gradient(lambda a: matrix_sqrt(a, iterations), a * scale**2)
    torch.testing.assert_close(scaled / scale, root)
    torch.testing.assert_close(scaled_gradient * scale, gradient)


def test_a_sum_of_large_entries_does_not_overflow() -> None:
    a = torch.full((8,), 1e38).diag()
    torch.testing.assert_close(matrix_sqrt(a, 20), torch.full((8,), 1e19).diag())


@ROOTS
def test_zero_beside_others(iterations: int | None) -> None:
    a = torch.stack([torch.zeros(3, 3), 4 * torch.eye(3)])
    root, _ = with_gradient(lambda a: matrix_sqrt(a, iterations), a)
    torch.testing.assert_close(root[1], matrix_sqrt(a[1], iterations))
    assert not root[0].any()


@ROOTS
@pytest.mark.parametrize("algorithm", ["auto", "eigen"])
@pytest.mark.parametrize("place", [(1, 1), (1, 2)])
def test_what_is_not_a_number_is_not_hidden(
    iterations: int | None, algorithm: RootAlgorithm, place: tuple[int, int]
) -> None:
    a = torch.eye(3).repeat(2, 1, 1)
    a[0][place] = float("nan")
    root = matrix_sqrt(a, iterations, algorithm=algorithm)
    assert root[0].isnan().all()
    assert root[1].isfinite().all()


@ROOTS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_types_are_computed_in_float32(iterations: int | None, dtype: torch.dtype) -> None:
    x = (300 * torch.randn(2, 4, 6, 6)).to(dtype)

    def root(x: Tensor) -> Tensor:
        return matrix_sqrt(covariance_pool(x), iterations)

    assert root(x).dtype == torch.float32
    # A covariance near 90,000: more than float16 holds.
    torch.testing.assert_close(root(x), root(x.float()))


@ROOTS
def test_autocast_changes_nothing(iterations: int | None) -> None:
    x = torch.randn(2, 4, 6, 6)

    def root(x: Tensor) -> Tensor:
        return matrix_sqrt(covariance_pool(x), iterations)

    expected = with_gradient(root, x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(with_gradient(root, x), expected, rtol=0, atol=0)


@ROOTS
def test_batches_are_independent(iterations: int | None) -> None:
    a = covariance_pool(torch.randn(3, 4, 5, 5).double())
    torch.testing.assert_close(matrix_sqrt(a, iterations)[1:2], matrix_sqrt(a[1:2], iterations))
    root, gradient = with_gradient(lambda a: matrix_sqrt(a, iterations), a[:0])
    assert root.shape == gradient.shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: covariance_pool(torch.ones(2, 3)), r"x=\(2, 3\): expected \(B, C, \*S\) with at least one position"),
        (
            lambda: covariance_pool(torch.ones(2, 3, 0, 4)),
            r"x=\(2, 3, 0, 4\): expected \(B, C, \*S\) with at least one",
        ),
        (lambda: matrix_sqrt(torch.ones(2, 3, 4)), r"a=\(2, 3, 4\): expected \(\.\.\., d, d\)"),
        (lambda: matrix_sqrt(torch.ones(2, 0, 0)), r"a=\(2, 0, 0\): expected \(\.\.\., d, d\) with d at least 1"),
        (lambda: upper_triangle(torch.ones(3)), r"a=\(3,\): expected \(\.\.\., d, d\)"),
    ],
)
def test_bad_shapes(call: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call()


@pytest.mark.parametrize("iterations", [0, -1, 2.5, True, "5"])
def test_bad_iterations(iterations: object) -> None:
    with pytest.raises(ArgumentError, match=r"iterations=.*: expected an integer >= 1, or None for the exact root"):
        matrix_sqrt(torch.eye(2), iterations)  # type: ignore[arg-type]


@pytest.mark.parametrize(("iterations", "algorithm"), [(5, "fast"), (None, "products")])
def test_bad_algorithm(iterations: int | None, algorithm: RootAlgorithm) -> None:
    with pytest.raises(ArgumentError, match=rf"algorithm='{algorithm}': expected \"auto\""):
        matrix_sqrt(torch.eye(2), iterations, algorithm=algorithm)


@pytest.mark.parametrize("call", [covariance_pool, matrix_sqrt, upper_triangle])
def test_integers_are_refused(call: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ArgumentError, match=r"'torch\.int64': expected a tensor of a floating-point type"):
        call(torch.ones(2, 2, 2, dtype=torch.int64))
