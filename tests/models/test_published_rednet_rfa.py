"""Whole RedNets and receptive-field attention ResNets with the authors' weights give the authors' scores."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from support.made_up_weights import numbers, recorded
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from dynaconv.convert.checkpoints import load_published
from dynaconv.layers import Involution2d, RFAConv2d, RFCAConv2d, RFCBAMConv2d
from dynaconv.models import create_model
from dynaconv.models.published import PRESETS
from dynaconv.models.published.rednet import rednet
from dynaconv.models.published.rfa import first_convs_replaced

FIXTURES = Path(__file__).parents[1] / "fixtures"
# Depths, and multiply-adds of convolutions alone as counted in the authors' code.
REDNETS = {26: 1.651e9, 38: 2.114e9, 50: 2.577e9, 101: 4.546e9, 152: 6.515e9}


def scores(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        y: torch.Tensor = model.double().train()(numbers("x", (2, 3, 64, 96)))
    return y


def test_rednet() -> None:
    fixture, state = recorded(FIXTURES / "involution" / "rednet26.safetensors")
    model = load_published(rednet(10, 3, (1, 2, 4, 1)).double(), {"state_dict": state}, "d-li14/involution")
    torch.testing.assert_close(scores(model), fixture["y"], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("name", "layer"), [("rfa", RFAConv2d), ("rfcbam", RFCBAMConv2d), ("rfca", RFCAConv2d)])
def test_receptive_field_attention(name: str, layer: type[RFAConv2d] | type[RFCBAMConv2d] | type[RFCAConv2d]) -> None:
    fixture, state = recorded(FIXTURES / "rfaconv" / f"{name}_resnet.safetensors")
    model = first_convs_replaced(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10), partial(_like, layer))
    model = load_published(model.double(), state, "Liuchen1997/RFAConv")
    torch.testing.assert_close(scores(model), fixture["y"], rtol=1e-8, atol=1e-8)


def _like(layer: type[nn.Module], conv: nn.Conv2d) -> nn.Module:
    return layer(conv.in_channels, conv.out_channels, 3, conv.stride, 1)


@pytest.mark.parametrize("depth", REDNETS)
def test_involutions_share_of_the_multiply_adds(depth: int) -> None:
    preset = PRESETS[f"rednet{depth}"]
    with torch.device("meta"):
        model = preset.build(10, 1)
    involutions = [m for m in model.modules() if isinstance(m, Involution2d)]
    assert len(involutions) == 1 + (depth - 2) // 3
    share = preset.macs - REDNETS[depth]
    assert 0.01 < share / preset.macs < 0.04


@pytest.mark.parametrize("name", ["rednet26", "rfcbam_resnet18", "camconv_resnet18", "cbamconv_resnet18"])
def test_other_images(name: str) -> None:
    model = create_model(name, num_classes=7, in_channels=1).train()
    assert model(torch.randn(2, 1, 75, 66)).shape == (2, 7)
