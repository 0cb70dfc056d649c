"""The fused kernels of `dense_conv` against the definition: value and both gradients, over instruction sets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv import ops
from dynaconv.native import dense
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-5  # of the largest value: float32 rounding over some thousand products

# Samples, input and output channels, kernel, the map's size, and what else there is to say.
CASES: dict[str, tuple[int, int, int, Any, tuple[int, ...], dict[str, Any]]] = {
    "small map": (3, 80, 150, 3, (4, 5), {"padding": 1}),
    "strided": (2, 20, 33, 3, (9, 8), {"padding": 1, "stride": 2}),
    "pointwise": (3, 17, 70, 1, (6, 7), {}),
    "large map": (1, 6, 9, (3, 2), (45, 31), {"dilation": 2, "padding": 1}),
    "several blocks of pixels": (2, 5, 4, 3, (40, 40), {"padding": 1, "stride": (1, 2)}),
    "depthwise": (2, 70, 70, 3, (7, 6), {"padding": 1, "groups": 70}),
    "depth multiplier": (2, 6, 18, 3, (7, 6), {"groups": 6}),
    "few outputs of many inputs": (2, 48, 8, 3, (7, 6), {"padding": 1, "groups": 2}),
    "grouped": (2, 24, 48, 3, (7, 6), {"padding": 1, "groups": 2}),
    "one dimension": (3, 8, 12, 5, (19,), {"padding": 2}),
    "three dimensions": (2, 6, 20, (2, 3, 3), (3, 5, 4), {"padding": (0, 1, 1)}),
}


def draw(name: str) -> tuple[ConvSpec, Tensor, Tensor, Tensor]:
    """The geometry, an input, weights and a gradient of the output."""
    batch, inputs, outputs, kernel, size, options = CASES[name]
    spec = ConvSpec.parse(inputs, outputs, kernel, dims=len(size), **options)
    upstream = torch.randn(batch, outputs, *spec.output_size(size))
    return spec, torch.randn(batch, inputs, *size), torch.randn(batch, *spec.weight_shape), upstream


def run(spec: ConvSpec, x: Tensor, weight: Tensor, upstream: Tensor) -> list[Tensor]:
    to_x = dense.input_gradient(upstream, weight, x.shape, spec)
    return [dense.forward(x, weight, spec), to_x, dense.weight_gradient(upstream, x, spec)]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_equal_the_definition(name: str, instruction_set: str) -> None:
    spec, x, weight, upstream = draw(name)
    leaves = [x.double().requires_grad_(), weight.double().requires_grad_()]
    y = ops.dense_conv(*leaves, **CASES[name][-1], algorithm="reference")
    expected = [y.detach(), *torch.autograd.grad(y, leaves, upstream.double())]
    with forced(instruction_set):
        results = run(spec, x, weight, upstream)
    for found, exact in zip(results, expected, strict=True):
        assert found.shape == exact.shape
        assert float((found - exact).abs().max() / exact.abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", ["small map", "several blocks of pixels", "depthwise"])
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    problem = draw(name)
    assert_the_same_with_any_threads(lambda: run(*problem))


def test_reasons_against_a_problem() -> None:
    spec = ConvSpec.parse(2, 3, 1, dims=2)
    assert dense.why_not(spec, "bfloat16") == ("bfloat16 on cpu: only float32 on the CPU",)
    assert dense.why_not(spec) == ()
