"""Converted networks of many families compute what they did."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.architectures import ARCHITECTURES
from torch import Tensor

from dynaconv.convert import convert
from dynaconv.convert.costs import run
from dynaconv.convert.prove import model_error
from dynaconv.convert.rules import RULES

# Methods that can express any static convolution; the largest error that float64 rounding leaves in a whole network.
EXACT = (
    "kernel_weighted",
    "fc_generated",
    "condconv",
    "dyconv",
    "odconv",
    "kernel_warehouse",
    "dcd",
    "fdconv",
    "lgcf",
)
ROUNDING = 1e-8
# A kernel generated for every slice is dear in wide networks.
QUICK = tuple(method for method in EXACT if method != "fc_generated")
# What is left of ConvNeXt beside depthwise kernels is not for all methods.
ONE_EACH = [
    (name, "odconv" if "convnext" in name else QUICK[number % len(QUICK)]) for number, name in enumerate(ARCHITECTURES)
]


def converted(name: str, method: str) -> tuple[Any, Any]:
    architecture = ARCHITECTURES[name]
    model, example = architecture.model(), architecture.example()
    # Fitting takes a while for every layer; FDConv leaves narrow layers, which are all that some of these have.
    stages, include = [2] if method == "dot_product" else None, "*" if method == "fdconv" else None
    made = convert(model, method, stages=stages, include=include)
    found = made.conversions[-1]
    assert found.replaced
    if method in EXACT:
        assert model_error(made, model, example) < ROUNDING
    return made, found


def test_the_list_is_long_enough():
    assert len({architecture.family for architecture in ARCHITECTURES.values()}) >= 25


@pytest.mark.parametrize(("name", "method"), ONE_EACH, ids=[f"{n}-{m}" for n, m in ONE_EACH])
def test_every_architecture_with_one_method(name: str, method: str):
    made, found = converted(name, method)
    assert max(layer.error for layer in found.layers if layer.action == "replace") < 1e-12
    outputs = [*_tensors(run(made, ARCHITECTURES[name].example()))]
    assert all(t.numel() and torch.isfinite(t).all() for t in outputs)


@pytest.mark.parametrize("method", RULES)
def test_every_method_with_one_architecture(method: str):
    _, found = converted("resnet18", method)
    errors = [layer.error for layer in found.layers if layer.action == "replace"]
    assert (max(errors) < 1e-12) == (method in EXACT)
    assert all(error < 1.5 for error in errors)


@pytest.mark.slow
@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_with_every_method(name: str, method: str):
    converted(name, method)


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output
    return [tensor for value in values for tensor in _tensors(value)]
