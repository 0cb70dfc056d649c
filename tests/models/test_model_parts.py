"""Backbones with attention blocks, pooling heads and published weights by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv import create_model, list_poolings, profile
from dynaconv.errors import ArgumentError
from dynaconv.hub.config import config_of
from dynaconv.hub.rebuild import rebuilt
from dynaconv.layers import ODConv2d
from dynaconv.models import backbones

torchvision = pytest.importorskip("torchvision")
timm = pytest.importorskip("timm")

MANY = [
    "resnet18",
    "mobilenetv2_050",
    "shufflenet_v2_x0_5",
    "mnasnet0_5",
    "efficientnet_b0",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "test_resnet",
    "test_efficientnet",
]


def test_attention_and_pooling_together():
    with torch.device("meta"):
        model = create_model("resnet50", attention="gsop_channel", pooling="isqrt_cov", num_classes=7)
    assert model.avgpool.out_features == model.fc.in_features == 256 * 257 // 2
    assert model.layer1[2].bn3.attention.channels == 256
    assert not hasattr(model, "conversions")
    assert profile(model).macs > 4e9


@pytest.mark.parametrize("name", MANY)
def test_heads_in_many_networks(name: str):
    model = create_model(name, pooling="attention", pooling_options={"heads": 2}, num_classes=5).eval()
    assert model(torch.randn(2, 3, 96, 64)).shape == (2, 5)


@pytest.mark.parametrize("pooling", list_poolings())
def test_every_head(pooling: str):
    model = create_model("resnet10t", pooling=pooling, num_classes=5, in_channels=1).eval()
    assert model(torch.randn(2, 1, 64, 64)).shape == (2, 5)


def test_average_pooling_is_what_was_there():
    for name in ("resnet18", "mobilenetv2_050", "test_resnet"):
        torch.manual_seed(1)
        plain = create_model(name, num_classes=5).eval()
        torch.manual_seed(1)
        pooled = create_model(name, num_classes=5, pooling="average").eval()
        x = torch.randn(2, 3, 64, 64)
        torch.testing.assert_close(pooled(x), plain(x))


@pytest.mark.parametrize("name", ["densenet121", "vgg11", "squeezenet1_1", "ghostnet_050"])
def test_networks_without_a_place_for_the_head_say_so(name: str):
    with pytest.raises(ArgumentError, match="pooling='isqrt_cov': expected None"):
        create_model(name, pooling="isqrt_cov", num_classes=2)


def test_a_saved_description_makes_the_same_network():
    options: dict[str, Any] = {
        "conv": "odconv",
        "conv_options": {"num_kernels": 2},
        "attention": "eca",
        "where": ["layer4"],
        "pooling": "max",
    }
    model = create_model("resnet10t", num_classes=3, **options)
    again = rebuilt(config_of(model))
    assert [*again.state_dict()] == [*model.state_dict()]


@pytest.fixture
def weights_at_hand(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Tensor]]:
    """Random weights where torchvision would download the published."""

    def state(self: object, *args: object, **kwargs: object) -> dict[str, Tensor]:
        torch.manual_seed(5)
        found: dict[str, Tensor] = torchvision.models.resnet18().state_dict()
        return found

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", state)
    return lambda name: state(None)


def test_pretrained_networks_are_inherited(weights_at_hand: Any):
    static = create_model("resnet18", pretrained=True).eval()
    dynamic = create_model("resnet18", conv="odconv", conv_options={"num_kernels": 2}, pretrained=True).eval()
    assert sum(isinstance(m, ODConv2d) for m in dynamic.modules()) == 16
    assert torch.equal(static.conv1.weight, weights_at_hand("resnet18")["conv1.weight"])
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(dynamic(x), static(x), atol=1e-4, rtol=1e-4)


def test_pretrained_networks_for_other_images_and_classes(weights_at_hand: Any):
    published = create_model("resnet18", pretrained=True).eval()
    model = create_model("resnet18", pretrained=True, num_classes=4, in_channels=1).eval()
    assert model.fc.out_features == 4
    grey = torch.randn(1, 1, 64, 64)
    torch.testing.assert_close(model.conv1(grey), published.conv1(grey.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)
    assert torch.equal(model.layer4[1].conv2.weight, published.layer4[1].conv2.weight)


def test_weights_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch):
    def offline(*args: object, **kwargs: object) -> nn.Module:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "get_model", offline)
    with pytest.raises(ArgumentError, match="could not be had: no route to host"):
        backbones.pretrained_backbone("resnet18")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"name": "resnet18", "attention_options": {"reduction": 2}}, "attention_options"),
        ({"name": "resnet18", "where": "blocks"}, "where"),
        ({"name": "resnet18", "pooling_options": {"heads": 2}}, "pooling_options"),
        ({"name": "resnet18", "pooling": "medium"}, "name"),
        ({"name": "kernel_weighted_cnn", "pretrained": True}, "pretrained"),
        ({"name": "odconv4x_resnet18", "pretrained": True}, "pretrained"),
        ({"name": "cifar_resnet18", "pretrained": True}, "pretrained"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], named: str):
    with pytest.raises(ArgumentError) as caught:
        create_model(**options)
    assert caught.value.argument == named
