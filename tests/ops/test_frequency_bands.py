"""Weighting frequency bands in blocks of samples against the plain formula."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from dynaconv.ops.frequency_bands import modulate_bands, operator
from dynaconv.ops.frequency_bands.operator import BandModulation
from dynaconv.ops.frequency_bands.parts import LowParts
from dynaconv.spec import ConvSpec

EDGES = (2, 3, 5)


def draw(batch: int, groups: int, bands: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    x = torch.randn(batch, 6, *size, dtype=torch.float64, requires_grad=True)
    return x, torch.rand(batch, groups, bands, *size, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize(("groups", "bands"), [(1, 3), (3, 4)])
@pytest.mark.parametrize("size", [(9, 7), (12, 20)])
def test_value_and_gradients_are_those_of_the_formula(
    batch: int, groups: int, bands: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, gates = draw(batch, groups, bands, size)
    monkeypatch.setattr(operator, "BLOCK_NUMBERS", 2 * x[0].numel())
    y = modulate_bands(x, gates, EDGES)
    weights = gates if bands > len(EDGES) else torch.cat([gates, torch.ones_like(gates[:, :, :1])], 2)
    expected = BandModulation(EDGES).formula((x, weights), ConvSpec.parse(6, 6, 1, dims=2, groups=6))
    torch.testing.assert_close(y, expected)
    upstream = torch.randn_like(y)
    found, exact = (torch.autograd.grad(v, (x, gates), upstream, retain_graph=True) for v in (y, expected))
    torch.testing.assert_close(found, exact)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_float32_gives_what_float64_gives(layout: torch.memory_format) -> None:
    x, gates = draw(3, 2, 3, (11, 8))
    leaves = [x.detach().float().contiguous(memory_format=layout), gates.detach().float()]
    y = modulate_bands(*(leaf.requires_grad_() for leaf in leaves), EDGES)
    assert y.is_contiguous(memory_format=layout)
    expected, upstream = modulate_bands(x, gates, EDGES), torch.randn_like(x)
    found = (y, *torch.autograd.grad(y, leaves, upstream.float()))
    exact = (expected, *torch.autograd.grad(expected, (x, gates), upstream))
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one.double(), other, atol=1e-5, rtol=1e-5)


def test_gradients_by_differences_and_second_derivatives() -> None:
    x, gates = draw(2, 2, 3, (5, 4))
    assert torch.autograd.gradcheck(lambda a, b: modulate_bands(a, b, EDGES), (x, gates))
    assert torch.autograd.gradgradcheck(lambda a, b: modulate_bands(a, b, EDGES), (x, gates))


def test_parts_are_nested_projections_and_the_sum_of_parts_is_their_adjoint() -> None:
    x, _ = draw(2, 1, 3, (11, 16))
    low = LowParts.of(EDGES, x)
    parts = low.of_image(x)
    for j, part in enumerate(parts):
        torch.testing.assert_close(low.of_image(part)[j], part)
    for (_, wide), (j, narrow) in pairwise(enumerate(parts)):
        torch.testing.assert_close(low.of_image(wide)[j], narrow)
    images = [torch.randn_like(x) for _ in EDGES]
    products = [(image * part).sum() for image, part in zip(images, parts, strict=True)]
    torch.testing.assert_close((low.total(images) * x).sum(), torch.stack(products).sum())


def test_only_the_inputs_wait_for_the_backward_pass() -> None:
    x, gates = draw(3, 1, 3, (8, 8))
    saved: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        modulate_bands(x, gates, EDGES)
    assert sum(t.numel() for t in saved) <= x.numel() + 2 * gates.numel()
