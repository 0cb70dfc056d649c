"""The iterations on eigenvalues are the iterations in products of matrices."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from dynaconv.ops import covariance_pool, matrix_sqrt
from dynaconv.ops.second_order.newton_schulz import newton_schulz
from dynaconv.ops.second_order.spectral import spectral_newton_schulz


def covariances(channels: int, positions: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return covariance_pool(torch.randn(3, channels, positions).relu().to(dtype))


@pytest.mark.parametrize("iterations", [1, 2, 3, 5, 12, 25])
@pytest.mark.parametrize("positions", [6, 200], ids=["rank-deficient", "full rank"])
def test_equal_values_and_gradients(iterations: int, positions: int) -> None:
    a = covariances(16, positions).requires_grad_()
    by_products, on_values = (matrix_sqrt(a, iterations, algorithm=name) for name in ("products", "eigen"))
    torch.testing.assert_close(on_values, by_products, rtol=1e-9, atol=1e-9)
    upstream = torch.randn_like(a)
    (found,) = torch.autograd.grad(on_values, a, upstream)
    # Eigenvalues belong to the symmetric part, whose gradient is symmetric.
    (expected,) = torch.autograd.grad(by_products, a, (upstream + upstream.mT) / 2)
    # Every iteration multiplies what rounding leaves of a zero eigenvalue by 3/2.
    assert (found - expected).norm() <= 1e-14 * 1.5 ** (2 * iterations) * expected.norm()


def test_equal_eigenvalues() -> None:
    a = torch.stack([torch.eye(4), torch.diag(torch.tensor([1.0, 1.0, 2.0, 0.0]))]).double().requires_grad_()
    upstream = torch.randn(2, 4, 4, dtype=torch.float64)
    upstream = upstream + upstream.mT
    found, expected = (
        torch.autograd.grad(matrix_sqrt(a, 6, algorithm=name), a, upstream)[0] for name in ("eigen", "products")
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_any_upstream_gradient_twice(iterations: int) -> None:
    a = covariances(4, 9).requires_grad_()
    assert gradcheck(lambda a: matrix_sqrt(a, iterations, algorithm="eigen"), a)
    assert gradgradcheck(lambda a: matrix_sqrt(a, iterations, algorithm="eigen"), a)


def test_float32_is_as_near_to_float64_as_products_are() -> None:
    a = covariances(64, 100, torch.float32)
    a = a / a.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    upstream = torch.randn_like(a)
    upstream = upstream + upstream.mT

    def gradient(root: object, a: Tensor) -> Tensor:
        leaf = a.clone().requires_grad_()
        return torch.autograd.grad(root(leaf, 5), leaf, upstream.to(a.dtype))[0]

    exact = gradient(newton_schulz, a.double())
    errors = [((gradient(root, a) - exact).norm() / exact.norm()) for root in (newton_schulz, spectral_newton_schulz)]
    assert max(errors) < 1e-5


def test_functional_transforms() -> None:
    a = covariances(4, 9)
    upstream = torch.randn(4, 4, dtype=torch.float64)

    def loss(matrix: Tensor, algorithm: str) -> Tensor:
        return (matrix_sqrt(matrix, 4, algorithm=algorithm) * (upstream + upstream.mT)).sum()

    found, expected = (
        torch.func.vmap(torch.func.grad(lambda m, name=name: loss(m, name)))(a) for name in ("eigen", "products")
    )
    torch.testing.assert_close(found, expected)


def test_eigenvalues_are_chosen_for_training_on_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    module_of_choice = sys.modules[matrix_sqrt.__module__]
    monkeypatch.setattr(module_of_choice, "spectral_newton_schulz", lambda a, n: chosen.append("eigen") or a)
    monkeypatch.setattr(module_of_choice, "newton_schulz", lambda a, n: chosen.append("products") or a)
    large, small = torch.eye(64), torch.eye(63)
    for a, threads in ((large, 2), (small, 2), (large, 64)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        matrix_sqrt(a.clone().requires_grad_())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    matrix_sqrt(large)
    with torch.no_grad():
        matrix_sqrt(large.clone().requires_grad_())
    assert chosen == ["eigen", *["products"] * 4]
