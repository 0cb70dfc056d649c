"""The fused kernels of `tapwise_conv` against the definition: values and every gradient, over instruction sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv import ops
from dynaconv.native import tapwise
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-5  # of the largest value: float32 rounding over some thousand products


@dataclass(frozen=True)
class Case:
    """One problem."""

    name: str
    batch: int
    inputs: int
    outputs: int
    tap_groups: int
    size: tuple[int, ...]
    kernel: Any = 3
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> ConvSpec:
        return ConvSpec.parse(self.inputs, self.outputs, self.kernel, dims=len(self.size), **self.options)


CASES = [
    Case("square", 5, 64, 64, 1, (8, 8), options={"padding": 1}),
    Case("taps per channel", 2, 36, 40, 36, (9, 11), options={"padding": 1}),
    Case("involution", 2, 32, 32, 2, (13, 12), 7, {"padding": 3, "groups": 32}),
    Case("many channels, one sample", 1, 270, 150, 2, (7, 7), options={"padding": 1}),
    Case("large map, strided", 1, 20, 36, 4, (40, 33), options={"stride": 2, "padding": 1}),
    Case("grouped", 2, 24, 48, 3, (7, 7), options={"padding": 1, "groups": 2}),
    Case("depth multiplier", 3, 12, 36, 6, (6, 5), options={"groups": 12}),
    Case("few outputs of many inputs", 2, 90, 4, 5, (6, 5), options={"padding": 1, "groups": 2}),
    Case("taps that meet nothing", 2, 5, 6, 5, (4, 4), options={"dilation": 5, "padding": 5}),
    Case("three dimensions", 2, 6, 7, 2, (3, 5, 4), (2, 3, 3), {"padding": (0, 1, 1)}),
]


def draw(case: Case) -> list[Tensor]:
    spec = case.spec
    taps = torch.randn(case.batch, case.tap_groups, spec.taps, *spec.output_size(case.size))
    return [torch.randn(case.batch, case.inputs, *case.size), torch.randn(spec.weight_shape) * 0.3, taps]


def run(case: Case, tensors: list[Tensor], upstream: Tensor) -> list[Tensor]:
    """The value, and the gradients of input, weight and taps."""
    to_x, to_taps = tapwise.source_gradients(upstream, *tensors, case.spec)
    to_weight = tapwise.weight_gradient(upstream, *tensors, case.spec)
    return [tapwise.forward(*tensors, case.spec), to_x, to_weight, to_taps]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_gradients_equal_the_definition(case: Case, instruction_set: str) -> None:
    tensors = draw(case)
    leaves = [tensor.double().requires_grad_() for tensor in tensors]
    y = ops.tapwise_conv(*leaves, **case.options, algorithm="reference")
    upstream = torch.randn(y.shape)
    expected = [y.detach(), *torch.autograd.grad(y, leaves, upstream.double())]
    with forced(instruction_set):
        results = run(case, tensors, upstream)
    for found, exact in zip(results, expected, strict=True):
        assert found.shape == exact.shape
        assert float((found - exact).abs().max() / exact.abs().max()) < TOLERANCE


@pytest.mark.parametrize("case", CASES[:5], ids=lambda case: case.name)
def test_results_do_not_depend_on_the_number_of_threads(case: Case) -> None:
    tensors = draw(case)
    upstream = torch.randn(case.batch, case.outputs, *case.spec.output_size(case.size))
    assert_the_same_with_any_threads(lambda: run(case, tensors, upstream))


def test_reasons_against_a_problem() -> None:
    spec = ConvSpec.parse(2, 3, 1, dims=2)
    assert tapwise.why_not(spec, "bfloat16") == ("bfloat16 on cpu: only float32 on the CPU",)
    assert tapwise.why_not(spec) == ()
