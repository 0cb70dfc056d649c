"""Any static network with its convolutions made by a method."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dynaconv import create_model
from dynaconv.errors import ArgumentError
from dynaconv.layers import DyConv2d, DynamicConv, ODConv2d


def test_a_method_in_a_static_network() -> None:
    model = create_model("cifar_resnet18", conv="odconv", conv_options={"num_kernels": 2}, num_classes=10)
    dynamic = {name: m for name, m in model.named_modules() if isinstance(m, DynamicConv)}
    assert len(dynamic) == 16
    assert all(isinstance(m, ODConv2d) and m.spec.kernel_size == (3, 3) for m in dynamic.values())
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 10)


def test_torchvision_and_timm_by_name() -> None:
    shuffle = create_model("shufflenet_v2_x0_5", conv="dyconv", num_classes=5, in_channels=1)
    assert sum(isinstance(m, DyConv2d) for m in shuffle.modules()) == 55
    timm = create_model("resnet10t", conv="lgcf", num_classes=5, in_channels=1)
    for model in (shuffle, timm):
        assert model(torch.randn(2, 1, 64, 64)).shape == (2, 5)


def test_static_twins() -> None:
    names = [*create_model("resnet18", conv="static").state_dict()]
    assert names == [*create_model("resnet18").state_dict()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "odconv1x_resnet18", "conv": "dyconv"}, "conv='dyconv': expected left out, and conv_options too"),
        ({"name": "resnet18", "width": 0.5}, "width=0.5: expected 1 for other networks than kernel_weighted_cnn"),
        ({"name": "resnet18", "conv_options": {"num_kernels": 2}}, "conv_options=.*: expected left out where"),
        ({"name": "resnet18", "conv": "dyconv", "conv_options": {"magic": 2}}, "magic=2: expected only options that"),
        ({"name": "resnet181"}, "name='resnet181': expected one of .*, or a network of torchvision or timm"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_model(**options)
