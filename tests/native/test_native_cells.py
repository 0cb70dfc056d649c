"""The fused kernels of `cell_conv` against the definition: value and all gradients, over instruction sets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv import ops
from dynaconv.kernels import CellKernel
from dynaconv.native import cells as native
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-5  # of the largest value: float32 rounding over some thousand products

# Samples, cells, channels of a cell (o, i), how many along outputs and inputs, kernel, map, what else there is to say.
CASES: dict[str, tuple[int, int, tuple[int, int], tuple[int, int], Any, tuple[int, ...], dict[str, Any]]] = {
    "small map": (3, 5, (80, 70), (1, 1), 3, (4, 5), {"padding": 1}),
    "several cells": (2, 7, (64, 64), (2, 3), 3, (5, 4), {"padding": 1, "stride": 2}),
    "along outputs": (9, 3, (128, 17), (2, 1), 3, (3, 3), {"padding": 1}),
    "pointwise": (3, 2, (33, 64), (1, 2), 1, (6, 7), {}),
    "many cells": (2, 70, (20, 8), (1, 1), (3, 2), (6, 5), {"dilation": 2, "padding": 2}),
    "large map": (2, 4, (9, 6), (1, 1), 3, (45, 31), {"padding": 1}),
    "more taps than pixels": (2, 3, (6, 5), (1, 1), 5, (3, 2), {"padding": 2}),
    "many taps": (3, 4, (20, 5), (1, 1), 7, (6, 8), {"padding": 3}),
    "one dimension": (3, 4, (8, 12), (1, 1), 5, (19,), {"padding": 2}),
    "three dimensions": (2, 4, (6, 20), (1, 1), (2, 3, 3), (3, 5, 4), {"padding": (0, 1, 1)}),
}


def draw(name: str) -> tuple[ConvSpec, Tensor, Tensor, Tensor, Tensor]:
    """The geometry, an input, cells, mixtures and a gradient of the output."""
    batch, cells, cell, counts, kernel, size, options = CASES[name]
    outputs, inputs = (n * c for n, c in zip(counts, cell, strict=True))
    spec = ConvSpec.parse(inputs, outputs, kernel, dims=len(size), **options)
    mixture = torch.randn(batch, spec.taps, *counts, cells)
    upstream = torch.randn(batch, outputs, *spec.output_size(size))
    return spec, torch.randn(batch, inputs, *size), torch.randn(cells, *cell), mixture, upstream


def run(spec: ConvSpec, x: Tensor, cells: Tensor, mixture: Tensor, upstream: Tensor) -> list[Tensor]:
    assert native.why_not(spec, (*cells.shape[1:], *[1] * spec.dims)) == ()
    to_x = native.input_gradient(upstream, x, cells, mixture, spec)
    return [native.forward(x, cells, mixture, spec), to_x, *native.gradients(upstream, x, cells, mixture, spec)]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_equal_the_definition(name: str, instruction_set: str) -> None:
    spec, x, cells, mixture, upstream = draw(name)
    leaves = [tensor.double().requires_grad_() for tensor in (x, cells, mixture)]
    ones = [1] * spec.dims
    kernel = CellKernel(leaves[1].unflatten(2, (-1, *ones)), leaves[2].unflatten(1, spec.kernel_size))
    y = ops.conv(leaves[0], kernel, spec, "reference")
    expected = [y.detach(), *torch.autograd.grad(y, leaves, upstream.double())]
    with forced(instruction_set):
        results = run(spec, x, cells, mixture, upstream)
    for found, exact in zip(results, expected, strict=True):
        assert found.shape == exact.shape
        assert float((found - exact).abs().max() / exact.abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", ["small map", "several cells", "large map"])
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    problem = draw(name)
    assert_the_same_with_any_threads(lambda: run(*problem))


def test_reasons_against_a_problem() -> None:
    def reasons(inputs: int, outputs: int, cell: tuple[int, ...], **options: Any) -> tuple[str, ...]:
        return native.why_not(ConvSpec.parse(inputs, outputs, 3, dims=2, **options), cell)

    assert reasons(4, 6, (6, 4, 1, 1)) == ()
    assert reasons(4, 6, (3, 2, 1, 1), groups=2) == (
        "groups=2: only 1",
        "several cells of (3, 2) channels side by side: only multiples of 64",
    )
    assert reasons(4, 6, (6, 4, 3, 3)) == ("cells of (3, 3) taps, 9 taps: only single ones, at most 128",)
