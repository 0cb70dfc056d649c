"""Nothing is timed that differs from the reference: a planted fault of each kind is found and named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dynaconv import create_conv, ops
from dynaconv.bench import measure_operator as measuring
from dynaconv.bench.equality import NotEqualError, check_equality
from dynaconv.bench.measure import Effort
from dynaconv.bench.measure_network import check_layers
from dynaconv.bench.networks import METHODS, NetworkCase, build
from dynaconv.bench.operators import OperatorCase
from dynaconv.bench.plain import plain_conv
from dynaconv.bench.problem_tensors import REGISTRIES, tensors_of
from dynaconv.dispatch import Algorithm, Problem
from dynaconv.errors import ArgumentError
from dynaconv.kernels import FourierKernel, Kernel, StaticKernel
from dynaconv.layers import RFAConv2d
from dynaconv.spec import ConvSpec

SPEC = ConvSpec.parse(4, 6, 3, dims=2, padding=1)
PROBLEMS = {
    "mixture_conv": Problem("mixture_conv", SPEC, 5, (7, 6), 4, ("tap_scale", "in_scale", "out_scale")),
    "dense_conv": Problem("dense_conv", SPEC, 5, (7, 6)),
    "tapwise_conv": Problem("tapwise_conv", SPEC, 5, (7, 6)),
}


def wrong_value(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
    return 1.001 * ops.conv(x, kernel, spec)


def wrong_gradient(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
    y = ops.conv(x, kernel, spec)
    return y + 0.001 * (y - y.detach())


def leaking_gradient(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
    """Right for the checked samples; theirs flows into a sample that is not checked as well."""
    leak = (x[1] - x[1].detach()).mean()
    return ops.conv(x, kernel, spec) + leak


def not_a_number(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
    return ops.conv(x, kernel, spec) * float("nan")


FAULTS = {
    "the output": wrong_value,
    "the gradient of x": wrong_gradient,
    "the gradient of x by": leaking_gradient,
    "the output by nan": not_a_number,
}


@pytest.mark.parametrize("operator", PROBLEMS)
def test_right_forms_pass(operator: str) -> None:
    x, kernel = tensors_of(PROBLEMS[operator])
    check_equality({"default": ops.conv, "grouped": plain_conv}, x, kernel, SPEC)


@pytest.mark.parametrize("operator", PROBLEMS)
@pytest.mark.parametrize("words", FAULTS)
def test_a_planted_fault_is_named(operator: str, words: str) -> None:
    x, kernel = tensors_of(PROBLEMS[operator])
    with pytest.raises(NotEqualError, match=f"planted differs from the reference in {words}"):
        check_equality({"default": ops.conv, "planted": FAULTS[words]}, x, kernel, SPEC)


def test_a_wrong_algorithm_in_the_registry_gets_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = REGISTRIES["dense_conv"]
    name, right = next(iter(registry.algorithms.items()))

    def wrong(*arguments: object) -> Tensor:
        return 1.01 * right.forward(*arguments)

    planted = Algorithm(name, wrong, right.backward, right.forward_cost, right.backward_cost)
    monkeypatch.setattr(registry, "algorithms", {**registry.algorithms, name: planted})
    case = OperatorCase("case", PROBLEMS["dense_conv"])
    with pytest.raises(NotEqualError, match=f"algorithm {name} differs from the reference in the output"):
        measuring.measure_operator(case, Effort(least=1, most=1, seconds=0))


def test_a_wrong_layer_of_a_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynaconv.bench.measure_network.plain_conv", wrong_value)
    case = NetworkCase("kernel_weighted_cnn", "seed", 0, 2, 32)
    with pytest.raises(NotEqualError, match=r"features.conv6 in grouped form differs"):
        check_layers(build(case, "ours"), torch.randn(2, 3, 32, 32))


@pytest.mark.parametrize("method", ["kernel_warehouse", "dcd", "fdconv", "involution", "lgcf", "odconv", "dyconv"])
def test_layers_of_every_kind_of_kernel_are_compared(method: str) -> None:
    layer = create_conv(method, 16, 16, 3, padding=1)
    check_layers(nn.Sequential(layer), torch.randn(7, 16, 9, 8), grouped=False)


def test_a_layer_that_departs_from_its_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    convolve = RFAConv2d.convolve
    monkeypatch.setattr(RFAConv2d, "convolve", lambda self, x: 1.001 * convolve(self, x))
    with pytest.raises(NotEqualError, match="0 differs from the reference in the output"):
        check_layers(nn.Sequential(create_conv("rfaconv", 4, 4, 3)), torch.randn(2, 4, 9, 8), grouped=False)


def test_layers_that_share_a_router_are_compared_in_their_block() -> None:
    model = METHODS["condconv"]("resnet18", 2)
    check_layers(model, torch.randn(2, 3, 32, 32))


@pytest.mark.parametrize("name", ["gates", "context", "spectrum"])
def test_a_wrong_gradient_of_a_spectrum_is_named(name: str) -> None:
    layer, x = create_conv("fdconv", 4, 6, 3, padding=1, bands=()), torch.randn(5, 4, 6, 6)

    def wrong(x: Tensor, kernel: FourierKernel, spec: ConvSpec) -> Tensor:
        tensor = getattr(kernel, name)
        return ops.conv(x, replace(kernel, **{name: 2 * tensor - tensor.detach()}), spec)

    with pytest.raises(NotEqualError, match=f"wrong differs from the reference in the gradient of {name}"):
        check_equality({"wrong": wrong}, *layer.operands(x))


def test_a_static_kernel_has_no_grouped_form() -> None:
    with pytest.raises(ArgumentError, match="kernel='StaticKernel': expected a kernel per sample"):
        plain_conv(torch.randn(1, 4, 5, 5), StaticKernel(torch.randn(6, 4, 3, 3)), SPEC)
