"""Attention blocks go where their papers put them, into any model."""

from __future__ import annotations

import pytest
import torch
from support.architectures import ARCHITECTURES
from torch import nn

import dynaconv
from dynaconv.convert import Insertion, convert, residual_stages
from dynaconv.errors import ArgumentError

torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    return torchvision.models.resnet18(num_classes=10).eval()


def test_blocks_and_stages(resnet: nn.Module):
    blocks = convert(resnet, attention="cbam").conversions[0]
    assert isinstance(blocks, Insertion)
    assert blocks.names == tuple(f"layer{s}.{b}.bn2" for s in (1, 2, 3, 4) for b in (0, 1))
    stages = convert(resnet, attention="bam").conversions[0]
    assert stages.names == tuple(f"layer{s}.1.bn2" for s in (1, 2, 3, 4))
    everywhere = convert(resnet, attention="gsop_channel", where="blocks", reduced_channels=8).conversions[0]
    assert everywhere.names == blocks.names


def test_the_published_network_is_met(resnet: nn.Module):
    """CBAM after every block's last normalisation, as in the network that is counted against the authors'."""
    published = dynaconv.create_model("cbam_resnet18", num_classes=10)
    made = convert(resnet, attention="cbam")
    numbers = [sum(p.numel() for p in model.parameters()) for model in (made, published)]
    assert numbers[0] == numbers[1]


def test_named_modules_and_modes(resnet: nn.Module):
    made = convert(resnet.double(), attention="se", where=["layer3", "layer4.1.conv1"], reduction=8)
    resnet.float()
    assert made.conversions[0].names == ("layer3", "layer4.1.conv1")
    assert made.layer3.attention.fc1.weight.dtype == torch.float64
    assert not made.layer3.attention.training
    assert made.layer3.attention.channels == 256
    assert made(torch.randn(1, 3, 64, 64, dtype=torch.float64)).shape == (1, 10)


def test_shortcuts_and_their_norms_are_passed_over():
    model = torchvision.models.regnet_y_400mf(num_classes=4)
    names = convert(model, attention="eca").conversions[0].names
    assert all(name.endswith(".f.c.1") for name in names)


def test_blocks_that_end_otherwise_are_followed():
    model = ARCHITECTURES["convnext"].model()
    made = convert(model, attention="se")
    assert made.conversions[0].names == ("features.1.0", "features.3.0", "features.3.1")
    made(ARCHITECTURES["convnext"].example())


def test_dynamic_convolutions_are_followed(resnet: nn.Module):
    made = convert(convert(resnet, "odconv", stages=[4]), attention="se", where="layer4.1.conv2")
    assert made.layer4[1].conv2.attention.channels == 512


@pytest.mark.parametrize(
    "name", ["resnet50d", "mobilenet_v2", "tf_mobilenet", "densenet", "shufflenet", "regnet", "ghostnet_050"]
)
def test_many_architectures(name: str):
    architecture = ARCHITECTURES[name]
    model = architecture.model()
    assert len(residual_stages(model)) >= 3
    made = convert(model, attention="se", min_hidden=2)
    assert made(architecture.example()).shape == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"attention": "sse"}, "name"),
        ({"attention": "se", "where": "layer7"}, "where"),
        ({"attention": "se", "where": "maxpool"}, "where"),
        ({"attention": "se", "ratio": 3}, "ratio"),
    ],
)
def test_wrong_arguments_are_named(resnet: nn.Module, arguments: dict[str, object], named: str):
    with pytest.raises(ArgumentError) as caught:
        convert(resnet, **arguments)
    assert caught.value.argument == named


def test_networks_without_blocks_say_so():
    with pytest.raises(ArgumentError, match="no residual blocks"):
        convert(torchvision.models.vgg11(num_classes=2, init_weights=False).features, attention="se")
