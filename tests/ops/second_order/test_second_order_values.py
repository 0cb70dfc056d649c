"""Covariance, square root and triangle against their definitions, NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dynaconv.ops import covariance_pool, matrix_sqrt, upper_triangle
from dynaconv.ops.second_order import reference


def features(batch: int = 3, channels: int = 5, size: tuple[int, ...] = (4, 7)) -> Tensor:
    return torch.randn(batch, channels, *size, dtype=torch.float64)


@pytest.mark.parametrize("size", [(1,), (9,), (4, 7), (2, 3, 4)], ids=str)
def test_covariance_is_numpys(size: tuple[int, ...]) -> None:
    x = features(size=size)
    found = covariance_pool(x)
    for sample, covariance in zip(x.flatten(2).numpy(), found, strict=True):
        np.testing.assert_allclose(covariance, np.cov(sample, bias=True), atol=1e-14)
    torch.testing.assert_close(found, reference.covariance_pool(x))


def test_covariance_by_hand() -> None:
    x = torch.tensor([[[[1.0, 3.0]], [[4.0, 0.0]]]])
    torch.testing.assert_close(covariance_pool(x), torch.tensor([[[1.0, -2.0], [-2.0, 4.0]]]))


def test_covariance_keeps_its_digits_beside_a_large_mean() -> None:
    x = features().float()
    torch.testing.assert_close(covariance_pool(x + 4096), covariance_pool(x), rtol=0, atol=2e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 8), st.integers(1, 7), st.integers(0, 3))
def test_iterations_are_the_papers(iterations: int, channels: int, positions: int, batch: int) -> None:
    a = torch.randn(batch, channels, positions, dtype=torch.float64)
    a = a @ a.mT / positions
    found = matrix_sqrt(a, iterations)
    assert found.shape == a.shape
    if batch:
        torch.testing.assert_close(found, reference.matrix_sqrt(a, iterations))


def test_one_iteration_by_hand() -> None:
    # A / tr = diag(.5, .5): Y = .5 (3 - .5) / 2 = .625 on the diagonal, times the root of the trace.
    torch.testing.assert_close(matrix_sqrt(8 * torch.eye(2), 1), 0.625 * 4 * torch.eye(2))


@pytest.mark.parametrize("channels", [1, 2, 16, 64])
def test_many_iterations_and_the_exact_form_are_scipys(channels: int) -> None:
    a = covariance_pool(features(2, channels, (200,)))
    expected = torch.stack([torch.from_numpy(scipy.linalg.sqrtm(matrix.numpy()).real) for matrix in a])
    torch.testing.assert_close(matrix_sqrt(a, 30), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(matrix_sqrt(a, None), expected, rtol=1e-12, atol=1e-12)


def test_few_iterations_are_far_from_the_root() -> None:
    """Known and meant: the relative errors that the documentation shows."""
    x = torch.randn(4, 256, 14, 14, generator=torch.Generator().manual_seed(0)).relu()
    a = covariance_pool(x.double())
    exact = matrix_sqrt(a, None)
    errors = [((matrix_sqrt(a, n) - exact).norm() / exact.norm()).item() for n in (3, 5, 7, 10)]
    assert errors == pytest.approx([0.70, 0.42, 0.15, 0.02], abs=0.02)


@pytest.mark.parametrize("iterations", [5, 40, None])
def test_the_root_of_a_diagonal_matrix(iterations: int | None) -> None:
    diagonal = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    root = matrix_sqrt(torch.diag(diagonal), iterations)
    torch.testing.assert_close(root, torch.diag(diagonal.sqrt()), rtol=0, atol=1e-3 if iterations == 5 else 1e-12)


def test_more_leading_dimensions_and_none() -> None:
    a = covariance_pool(features(6)).reshape(2, 3, 5, 5)
    for iterations in (4, None):
        torch.testing.assert_close(matrix_sqrt(a, iterations)[1, 2], matrix_sqrt(a[1, 2], iterations))
    torch.testing.assert_close(upper_triangle(a)[1, 2], upper_triangle(a[1, 2]))


def test_triangle_goes_row_after_row() -> None:
    a = torch.arange(9.0).reshape(1, 3, 3)
    assert upper_triangle(a).tolist() == [[0, 1, 2, 4, 5, 8]]
    x = features(channels=7)
    torch.testing.assert_close(upper_triangle(covariance_pool(x)), reference.upper_triangle(covariance_pool(x)))


def test_triangle_is_256_channels_published_length() -> None:
    assert upper_triangle(torch.zeros(0, 256, 256)).shape == (0, 32_896)
