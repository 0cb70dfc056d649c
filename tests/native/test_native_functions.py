"""The fused kernels against the definition: values and every gradient, over shapes, scales and instruction sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv import native, ops
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-5  # of the largest value: float32 rounding over some thousand products


@dataclass(frozen=True)
class Case:
    """One problem; every scale and the bias are present unless `bare`."""

    name: str
    batch: int
    inputs: int
    outputs: int
    size: tuple[int, ...]
    kernel: Any = 3
    experts: int = 4
    bare: bool = False
    options: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("square", 5, 64, 64, (8, 8), options={"padding": 1}),
    Case("many samples, small map", 21, 96, 80, (4, 4), options={"padding": 1}),
    Case("odd channels", 3, 3, 17, (9, 7), options={"padding": 1}),
    Case("uneven stride", 1, 33, 40, (5, 6), options={"stride": (2, 1), "padding": 1}),
    Case("pointwise", 5, 16, 32, (8, 8), 1),
    Case("pointwise, strided", 4, 64, 128, (8, 8), 1, options={"stride": 2}),
    Case("depthwise", 2, 20, 20, (7, 7), options={"padding": 1, "groups": 20}),
    Case("grouped", 2, 12, 24, (7, 7), experts=7, options={"padding": 1, "groups": 4}),
    Case("dilated, even kernel", 2, 32, 80, (24, 24), (2, 3), 5, options={"dilation": (2, 1), "padding": "same"}),
    Case("large map, strided", 1, 20, 36, (40, 33), options={"stride": 2, "padding": 1}),
    Case("several blocks, sixteen experts", 2, 10, 16, (45, 45), experts=16, options={"padding": 1}),
    Case("bare", 2, 7, 9, (11, 11), (5, 3), bare=True, options={"padding": (2, 1)}),
    Case("static", 1, 4, 4, (3, 3), 1, 1, True),
    Case("large kernel", 1, 6, 5, (33, 34), 7, options={"stride": (3, 2), "padding": 3}),
    Case("stride beyond the kernel", 2, 3, 4, (5, 5), 2, options={"stride": 3}),
    Case("columns of several blocks", 9, 70, 130, (6, 6), experts=3, options={"padding": 1}),
    Case("taps that meet nothing", 2, 5, 6, (4, 4), options={"dilation": 5, "padding": 5}),
    Case("one dimension", 3, 8, 12, (19,), 5, options={"padding": 2, "stride": 2}),
    Case("three dimensions", 2, 18, 20, (4, 6, 5), (3, 2, 3), options={"padding": 1, "stride": (1, 2, 1)}),
    Case("three dimensions, depthwise", 2, 20, 20, (3, 5, 4), options={"padding": 1, "groups": 20}),
]


def geometry(case: Case) -> ConvSpec:
    return ConvSpec.parse(case.inputs, case.outputs, case.kernel, dims=len(case.size), **case.options)


def draw(case: Case) -> dict[str, Tensor]:
    """The problem's tensors, by the names that `ops.mixture_conv` gives them."""
    spec = geometry(case)
    tensors = {
        "x": torch.randn(case.batch, case.inputs, *case.size),
        "bank": torch.randn(case.experts, *spec.weight_shape) * 0.3,
        "mixture": torch.randn(case.batch, case.experts),
    }
    if not case.bare:
        tensors["tap_scale"] = torch.randn(case.batch, *spec.kernel_size)
        tensors["in_scale"] = torch.randn(case.batch, case.inputs)
        tensors["out_scale"] = torch.randn(case.batch, case.outputs)
        tensors["out_scale"][:, 0] = 0.0  # a gate may close; its gradient is still defined
    return tensors


def reference(case: Case, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The definition's value, a gradient for it, and the gradients of all tensors, in float64."""
    leaves = {name: tensor.double().requires_grad_() for name, tensor in tensors.items()}
    y = ops.mixture_conv(**leaves, **case.options, algorithm="reference")
    y_gradient = torch.randn(y.shape)
    y.backward(y_gradient.double())
    return y.detach(), y_gradient, {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def run_native(case: Case, tensors: dict[str, Tensor], y_gradient: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The same from the fused kernels; mixture and tap scale enter as their product."""
    spec, mixture = geometry(case), tensors["mixture"]
    tap_scale = tensors.get("tap_scale", torch.ones(case.batch, *spec.kernel_size)).flatten(1)
    coefficients = mixture.unsqueeze(2) * tap_scale.unsqueeze(1)
    scales = {name: tensors.get(name) for name in ("in_scale", "out_scale")}
    x, bank = tensors["x"], tensors["bank"]
    y = native.forward(x, bank, coefficients, spec, **scales)
    gradients = {}
    gradients["x"], gradients["in_scale"] = native.input_gradient(y_gradient, x, bank, coefficients, spec, **scales)
    gradients["bank"], of_coefficients, gradients["out_scale"] = native.bank_gradient(
        y_gradient, x, bank, coefficients, spec, **scales
    )
    gradients["mixture"] = (of_coefficients * tap_scale.unsqueeze(1)).sum(2)
    gradients["tap_scale"] = (of_coefficients * mixture.unsqueeze(2)).sum(1).view(-1, *spec.kernel_size)
    return y, {name: gradients[name] for name in tensors if gradients[name] is not None}


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a part of the largest value expected."""
    assert found.shape == expected.shape
    return float((found.double() - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_gradients_equal_the_definition(case: Case, instruction_set: str) -> None:
    tensors = draw(case)
    y, y_gradient, gradients = reference(case, tensors)
    with forced(instruction_set):
        assert str(native.status()) == instruction_set
        found, found_gradients = run_native(case, tensors, y_gradient)
    assert found_gradients.keys() == gradients.keys()
    differences = {name: difference(found_gradients[name], gradients[name]) for name in gradients}
    differences["y"] = difference(found, y)
    assert max(differences.values()) < TOLERANCE, differences


@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[9], CASES[10], CASES[15]], ids=lambda case: case.name)
def test_results_do_not_depend_on_the_number_of_threads(case: Case) -> None:
    tensors = draw(case)
    y_gradient = torch.randn(case.batch, case.outputs, *geometry(case).output_size(case.size))

    def run() -> list[Tensor]:
        y, gradients = run_native(case, tensors, y_gradient)
        return [y, *gradients.values()]

    assert_the_same_with_any_threads(run)


def test_bias_is_added_unscaled() -> None:
    case = CASES[2]
    tensors, bias = draw(case), torch.randn(case.batch, case.outputs)
    y = native.forward(
        tensors["x"], tensors["bank"], torch.ones(3, 4, 9), geometry(case), out_scale=torch.zeros(3, 17), bias=bias
    )
    assert torch.equal(y, bias[:, :, None, None].expand_as(y))


def test_a_permuted_bank_and_a_strided_input_are_read_as_they_are() -> None:
    case = CASES[0]
    tensors = draw(case)
    y, y_gradient, gradients = reference(case, tensors)
    tensors["bank"] = tensors["bank"].permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0)
    tensors["x"] = torch.stack([tensors["x"], tensors["x"]], dim=-1)[..., 0]
    found, found_gradients = run_native(case, tensors, y_gradient)
    assert difference(found, y) < TOLERANCE
    assert difference(found_gradients["bank"], gradients["bank"]) < TOLERANCE


def test_empty_batch() -> None:
    case = Case("empty", 0, 6, 8, (5, 5))
    tensors, spec = draw(case), geometry(case)
    y, gradients = run_native(case, tensors, torch.randn(0, 8, 3, 3))
    assert y.shape == (0, 8, 3, 3)
    assert {name: tuple(gradient.shape) for name, gradient in gradients.items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    assert torch.equal(gradients["bank"], torch.zeros(4, *spec.weight_shape))


def test_results_are_channels_last() -> None:
    case = CASES[0]
    tensors = draw(case)
    y = native.forward(tensors["x"], tensors["bank"], torch.ones(5, 4, 9), geometry(case))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_reasons_against_a_problem() -> None:
    spec = ConvSpec.parse(2, 3, 1, dims=3, padding_mode="circular")
    assert native.why_not(spec, "float64", "cuda") == (
        "padding_mode='circular': only zeros",
        "float64 on cuda: only float32 and bfloat16 on the CPU",
    )
    assert native.why_not(ConvSpec.parse(2, 3, 1, dims=3)) == ()
