"""The compiled convolution with few outputs against PyTorch's, over instruction sets."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv.native import scores as native

TOLERANCE = 5e-6  # of the largest value: float32 rounding over some thousand products

# Samples, channels, outputs, map, kernel.
CASES = {
    "square": (3, 32, 3, (16, 16), 3),
    "odd": (2, 37, 4, (9, 7), 3),
    "many samples": (19, 5, 2, (6, 10), 3),
    "many channels": (1, 300, 3, (4, 4), 3),
    "smaller than the kernel": (2, 17, 1, (1, 3), 7),
    "pointwise": (2, 20, 7, (5, 4), 1),
    "large": (1, 8, 5, (45, 62), 5),
}


def draw(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """An input, a weight and a gradient of the output."""
    batch, channels, outputs, size, kernel = CASES[name]
    weight = torch.randn(outputs, channels, kernel, kernel)
    return torch.randn(batch, channels, *size), weight, torch.randn(batch, outputs, *size)


def run(x: Tensor, weight: Tensor, upstream: Tensor) -> list[Tensor]:
    assert native.why_not(x) == ()
    return [native.forward(x, weight), *native.backward(upstream, x, weight)]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_equal_pytorchs(name: str, layout: torch.memory_format, instruction_set: str) -> None:
    x, weight, upstream = draw(name)
    leaves = [tensor.double().requires_grad_() for tensor in (x, weight)]
    y = F.conv2d(*leaves, padding=weight.shape[2] // 2)
    expected = [y.detach(), *torch.autograd.grad(y, leaves, upstream.double())]
    with forced(instruction_set):
        results = run(x.contiguous(memory_format=layout), weight, upstream)
    for found, exact in zip(results, expected, strict=True):
        assert found.shape == exact.shape
        assert float((found - exact).abs().max() / exact.abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", ["many samples", "many channels", "large"])
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    problem = draw(name)
    assert_the_same_with_any_threads(lambda: run(*problem))


def test_reasons_against_a_problem() -> None:
    x = torch.zeros(2, 3, 4, 4)
    assert native.why_not(x) == ()
    assert native.why_not(x.double()) == ("torch.float64 on cpu: only float32 on the CPU",)
    assert native.why_not(x[:0]) == ("x of (0, 3, 4, 4): only with samples, channels and pixels",)
