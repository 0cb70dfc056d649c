"""Whole DCD networks with the authors' weights give the authors' scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.made_up_weights import numbers, recorded
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from dynaconv.convert.checkpoints import load_published
from dynaconv.models.backbones import backbone
from dynaconv.models.published.dcd import dcd_mobilenetv2, dcd_resnet

NETWORKS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "resnet_basic": (224, lambda: dcd_resnet(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10))),
    "resnet_bottleneck": (224, lambda: dcd_resnet(ResNet(Bottleneck, [1, 1, 1, 1], num_classes=10))),
    "mobilenetv2_035": (64, lambda: dcd_mobilenetv2(backbone("mobilenetv2_035", 10))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_authors_weights_give_the_authors_scores(name: str) -> None:
    size, build = NETWORKS[name]
    fixture, state = recorded(Path(__file__).parents[1] / "fixtures" / "dcd" / f"{name}.safetensors")
    model = load_published(build().double().train(), state, "liyunsheng13/dcd")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.no_grad():
        y = model(numbers("x", (2, 3, size, size)))
    torch.testing.assert_close(y, fixture["y"], rtol=1e-9, atol=1e-9)
