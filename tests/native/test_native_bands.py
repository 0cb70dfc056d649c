"""The compiled kernels that weight frequency bands against the formula, over instruction sets."""

from __future__ import annotations

import pytest
import torch
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv.native import bands as native
from dynaconv.ops.frequency_bands.operator import BandModulation
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-6  # of the largest value: float32 rounding over some hundred products

# Samples, channels, groups, map, edges.
CASES = {
    "square": (3, 32, 1, (16, 16), (2, 4, 8)),
    "odd": (2, 37, 1, (9, 7), (2, 3, 5)),
    "groups": (2, 40, 2, (14, 12), (2, 4, 8)),
    "a group for every channel": (2, 3, 3, (6, 10), (3,)),
    "many channels": (1, 300, 1, (4, 4), (2, 4, 8)),
    "smaller than an edge": (2, 5, 1, (1, 3), (2, 9)),
    "large": (1, 8, 1, (45, 62), (2, 4)),
}


def draw(name: str) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...]]:
    """An input, weights, a gradient of the output, and the edges."""
    batch, channels, groups, size, edges = CASES[name]
    x = torch.randn(batch, channels, *size)
    return x, torch.rand(batch, groups, len(edges) + 1, *size), torch.randn_like(x), edges


def run(x: Tensor, weights: Tensor, upstream: Tensor, edges: tuple[int, ...]) -> list[Tensor]:
    assert native.why_not(x, edges) == ()
    return [native.forward(x, weights, edges), *native.backward(upstream, x, weights, edges)]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_equal_the_formula(name: str, layout: torch.memory_format, instruction_set: str) -> None:
    x, weights, upstream, edges = draw(name)
    leaves = [tensor.double().requires_grad_() for tensor in (x, weights)]
    y = BandModulation(edges).formula(leaves, ConvSpec.parse(1, 1, 1, dims=2))
    expected = [y.detach(), *torch.autograd.grad(y, leaves, upstream.double())]
    x = x.contiguous(memory_format=layout)
    with forced(instruction_set):
        results = run(x, weights, upstream, edges)
    for found, exact in zip(results, expected, strict=True):
        assert found.shape == exact.shape
        assert float((found - exact).abs().max() / exact.abs().max()) < TOLERANCE
    assert results[0].is_contiguous(memory_format=layout)


@pytest.mark.parametrize("name", ["groups", "many channels", "large"])
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    problem = draw(name)
    assert_the_same_with_any_threads(lambda: run(*problem))


def test_reasons_against_a_problem() -> None:
    x = torch.zeros(2, 3, 4, 4)
    assert native.why_not(x, (2,)) == ()
    assert native.why_not(x.double(), (2,)) == ("torch.float64 on cpu: only float32 on the CPU",)
    assert native.why_not(x, range(2, 12)) == ("10 edges: only 1 to 8",)
    assert native.why_not(x[:0], (2,)) == ("x of (0, 3, 4, 4): only with samples, channels and pixels",)
