"""Products by either library, and the algorithms on layers that are large enough for the second one."""

from __future__ import annotations

import pytest
import torch

from dynaconv import ops
from dynaconv.kernels import MixtureKernel
from dynaconv.ops.products import grouped_product
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-5  # of the largest value: float32 rounding over some thousand products


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("rows", [1, 40, 160])
def test_products_equal_float64(groups: int, transposed: bool, rows: int) -> None:
    a, b = torch.randn(groups, rows, 300), torch.randn(groups, 300, 130)
    if transposed:
        a, b = a.mT.contiguous().mT, b.mT.contiguous().mT
    found, expected = grouped_product(a, b), a.double() @ b.double()
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < TOLERANCE * expected.abs().max()


@pytest.mark.parametrize("name", ["patches", "expert_output", "grouped", "per_sample"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_large_layers_equal_float64(name: str, channels_last: bool) -> None:
    spec = ConvSpec.parse(130, 200, 3, dims=2, padding=1)
    x, bank, mixture = torch.randn(9, 130, 7, 8), torch.randn(2, *spec.weight_shape), torch.rand(9, 2)
    scales = [torch.rand(9, *shape) for shape in (spec.kernel_size, (130,), (200,))]
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    leaves = [tensor.requires_grad_() for tensor in (x, bank, mixture, *scales)]
    exact = [tensor.detach().double().requires_grad_() for tensor in leaves]
    y = ops.conv(x, MixtureKernel(*leaves[1:]), spec, name)
    expected = ops.conv(exact[0], MixtureKernel(*exact[1:]), spec, "reference")
    upstream = torch.randn_like(y)
    pairs = zip(
        (y, *torch.autograd.grad(y, leaves, upstream)),
        (expected, *torch.autograd.grad(expected, exact, upstream.double())),
        strict=True,
    )
    for found, right in pairs:
        assert (found - right).abs().max() < TOLERANCE * right.abs().max()
