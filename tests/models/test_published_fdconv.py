"""A whole network with FDConv and the authors' weights gives the authors' scores."""

from __future__ import annotations

from pathlib import Path

import torch
from support.made_up_weights import numbers, recorded
from torchvision.models.resnet import BasicBlock, ResNet

from dynaconv.convert.checkpoints import load_published
from dynaconv.models.published.fdconv import fdconv_resnet


def test_authors_weights_give_the_authors_scores() -> None:
    fixture, state = recorded(Path(__file__).parents[1] / "fixtures" / "fdconv" / "resnet_basic.safetensors")
    model = fdconv_resnet(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10), as_published=True)
    load_published(model.double().train(), state, "Linwei-Chen/FDConv")
    with torch.no_grad():
        y = model(numbers("x", (2, 3, 64, 64)))
    torch.testing.assert_close(y, fixture["y"], rtol=1e-9, atol=1e-9)
