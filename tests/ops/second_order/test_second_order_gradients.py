"""Gradients of the second-order operators: any upstream gradient, any order, memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from dynaconv.ops import covariance_pool, matrix_sqrt, upper_triangle
from dynaconv.ops.second_order import reference
from dynaconv.ops.second_order.matrix_sqrt import RootAlgorithm

ROOTS = pytest.mark.parametrize("iterations", [1, 2, 3, 5, None])


def features(channels: int = 4) -> Tensor:
    return torch.randn(2, channels, 3, 5, dtype=torch.float64)


def head(iterations: int | None) -> Callable[[Tensor], Tensor]:
    return lambda x: upper_triangle(matrix_sqrt(covariance_pool(x), iterations))


@pytest.mark.parametrize("operator", [covariance_pool, lambda x: upper_triangle(x[..., :4])], ids=["cov", "triangle"])
def test_plain_operators(operator: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(operator, x)
    assert gradgradcheck(operator, x)


@ROOTS
def test_roots_for_any_upstream_gradient(iterations: int | None) -> None:
    a = covariance_pool(features()).requires_grad_()
    # gradcheck sends every unit matrix back, none of them symmetric.
    assert gradcheck(lambda a: matrix_sqrt(a, iterations), a)
    assert gradgradcheck(lambda a: matrix_sqrt(a, iterations), a)


@pytest.mark.parametrize("iterations", [1, 2, 3, 8])
def test_iterations_on_matrices_that_are_not_symmetric(iterations: int) -> None:
    a = (torch.eye(4) + 0.3 * torch.rand(2, 4, 4)).double().requires_grad_()
    assert gradcheck(lambda a: matrix_sqrt(a, iterations), a)


@pytest.mark.parametrize("iterations", [1, 2, 5, 12])
def test_gradient_is_the_references(iterations: int) -> None:
    a = covariance_pool(features(8)).requires_grad_()
    upstream = torch.randn_like(a)
    (ours,) = torch.autograd.grad(matrix_sqrt(a, iterations), a, upstream)
    (theirs,) = torch.autograd.grad(reference.matrix_sqrt(a, iterations), a, upstream)
    torch.testing.assert_close(ours, theirs)


@ROOTS
def test_whole_head(iterations: int | None) -> None:
    assert gradcheck(head(iterations), features().requires_grad_())


def test_the_exact_gradient_is_the_limit_of_the_iterations() -> None:
    a = covariance_pool(features()).requires_grad_()
    upstream = torch.randn_like(a)
    # On symmetric directions, the only ones that the exact form knows.
    symmetric = (upstream + upstream.mT) / 2
    (exact,) = torch.autograd.grad(matrix_sqrt(a, None), a, upstream)
    (limit,) = torch.autograd.grad(matrix_sqrt(a, 40), a, symmetric)
    torch.testing.assert_close(exact, limit, rtol=1e-8, atol=1e-8)


def test_reference_differentiates_twice() -> None:
    a = covariance_pool(features(3)).requires_grad_()
    assert gradgradcheck(lambda a: reference.matrix_sqrt(a, 3), a)
    assert gradgradcheck(reference.covariance_pool, features(3).requires_grad_())


def kept(call: Callable[[], Tensor]) -> int:
    """Numbers kept between the passes, each storage once."""
    noted: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        # Held, so that no other tensor gets its address.
        noted.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        call()
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() // t.element_size() for t in noted}
    return sum(sizes.values())


@pytest.mark.parametrize("algorithm", ["products", "eigen"])
def test_memory_does_not_grow_with_iterations(algorithm: RootAlgorithm) -> None:
    a = covariance_pool(features(16)).requires_grad_()
    counts = {kept(lambda n=n: matrix_sqrt(a, n, algorithm=algorithm)) for n in (1, 2, 5, 20)}
    assert len(counts) == 1
    assert counts.pop() < 7 * a.numel()
    assert kept(lambda: reference.matrix_sqrt(a, 20)) > 20 * a.numel()


def test_covariance_keeps_its_input_alone() -> None:
    x = features().requires_grad_()
    assert kept(lambda: covariance_pool(x)) == x.numel()


def test_functional_transforms() -> None:
    x = features(3)

    def loss(sample: Tensor) -> Tensor:
        return head(4)(sample[None]).pow(3).sum()

    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(head(4)(leaf).pow(3).sum(), leaf)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), expected)
    jacobian = torch.func.jacrev(head(4))(x)
    torch.testing.assert_close(jacobian, torch.autograd.functional.jacobian(head(4), x))
    exact = torch.func.vmap(lambda sample: head(None)(sample[None])[0])(x)
    torch.testing.assert_close(exact, head(None)(x))


@pytest.mark.parametrize("iterations", [4, None])
def test_compile(iterations: int | None) -> None:
    x = features().requires_grad_()
    y, compiled = head(iterations)(x), torch.compile(head(iterations), fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(compiled, y)
    upstream = torch.randn_like(y)
    torch.testing.assert_close(torch.autograd.grad(compiled, x, upstream), torch.autograd.grad(y, x, upstream))
