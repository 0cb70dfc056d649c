"""Folded batch normalisations: the same outputs, and a true list of what went where."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from support.layers import CASES, LayerCase
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import dynaconv
from dynaconv.convert import fold_batchnorm, freeze
from dynaconv.convert.fold import ChannelShift
from dynaconv.errors import ArgumentError
from dynaconv.layers import BatchRenorm2d, create_conv, list_convs
from dynaconv.layers.same_padded import SamePadded

NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
# Their output channels share parameters.
SHARED = {"fc_generated", "dot_product", "kernel_warehouse", "fdconv", "involution"}


def lived_in(module: nn.Module, *shape: int) -> nn.Module:
    """A module in evaluation mode whose normalisations have seen images and have learned."""
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
        for _ in range(3):
            module.train()(torch.randn(shape, dtype=torch.float64) + 1)
    return module.eval()


def assert_same(folded: nn.Module, model: nn.Module, *shape: int) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(folded(x), model(x))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_method(case: LayerCase) -> None:
    g = case.geometry
    model = nn.Sequential(case.make(), NORMS[len(g.size)](g.out_channels), nn.ReLU())
    model = lived_in(model, 4, g.in_channels, *g.size)
    folded = fold_batchnorm(model)
    assert_same(folded, model, 3, g.in_channels, *g.size)
    assert ("1" in folded.fold_report.kept) == (case.name in SHARED)
    assert isinstance(folded[1], NORMS[len(g.size)] if case.name in SHARED else nn.Identity | ChannelShift)


@pytest.mark.parametrize("name", [n for n in list_convs() if n not in SHARED])
@pytest.mark.parametrize("bias", [False, True])
def test_with_and_without_a_bias(name: str, bias: bool) -> None:
    model = lived_in(nn.Sequential(create_conv(name, 4, 4, 3, bias=bias), nn.BatchNorm2d(4)), 4, 4, 7, 6)
    folded = fold_batchnorm(model)
    assert_same(folded, model, 3, 4, 7, 6)
    assert folded.fold_report.folded == {"1": "0"}


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(4, affine=False), BatchRenorm2d(4), nn.BatchNorm2d(4, eps=0.1), nn.SyncBatchNorm(4)]
)
def test_other_normalisations(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), norm)
    if not isinstance(norm, nn.SyncBatchNorm):
        lived_in(model, 4, 3, 6, 5)
    folded = fold_batchnorm(model.double().eval())
    assert_same(folded, model, 2, 3, 6, 5)
    assert folded.fold_report.folded == {"1": "0"}


class Branched(nn.Module):
    """The first convolution is read twice; the second normalisation has two calls; the third reads a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.conv2, self.norm2 = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.norm3 = nn.BatchNorm2d(3)
        self.conv4, self.norm4 = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = y + self.norm1(y)
        y = self.norm2(self.conv2(self.norm2(self.conv2(y))))
        scores: Tensor = self.norm4(self.conv4(self.norm3(x + y)))
        return scores


def test_only_where_nothing_else_reads_the_convolution() -> None:
    model = lived_in(Branched(), 4, 3, 6, 5)
    folded = fold_batchnorm(model)
    assert_same(folded, model, 2, 3, 6, 5)
    assert folded.fold_report.folded == {"norm4": "conv4"}
    assert set(folded.fold_report.kept) == {"norm1", "norm2", "norm3"}
    assert "norm4 into conv4" in str(folded.fold_report)
    assert "norm1 kept: no convolution alone stands before it" in str(folded.fold_report)


class Sized(nn.Module):
    """Asks for its input's size, which cannot be followed; its block can."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(create_conv("odconv", 3, 4, 3), nn.BatchNorm2d(4))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x if x.shape[2] > 3 else x.repeat(1, 1, 3, 3))
        return y


def test_parts_of_a_model_that_cannot_be_followed() -> None:
    model = lived_in(Sized(), 4, 3, 6, 5)
    folded = fold_batchnorm(model)
    assert_same(folded, model, 2, 3, 6, 5)
    assert folded.fold_report.folded == {"block.1": "block.0"}


def test_parametrised_weights_stay() -> None:
    model = lived_in(nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)), 4, 3, 6, 5)
    assert fold_batchnorm(model).fold_report.kept == {"1": "its weight is parametrised"}


def test_padding_by_the_inputs_size() -> None:
    model = nn.Sequential(SamePadded(create_conv("dyconv", 3, 4, 3, stride=2)), nn.BatchNorm2d(4))
    folded = fold_batchnorm(lived_in(model, 4, 3, 6, 5))
    assert_same(folded, model, 2, 3, 6, 5)
    assert folded.fold_report.folded == {"1": "0"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet18", {"conv": "odconv"}), ("mobilenetv2_035", {"conv": "condconv"}), ("resnet18", {})],
)
def test_networks_of_torchvision(name: str, options: dict[str, Any]) -> None:
    model = lived_in(dynaconv.create_model(name, num_classes=5, **options), 2, 3, 32, 32)
    folded = fold_batchnorm(model)
    assert not folded.fold_report.kept
    assert_same(folded, model, 2, 3, 32, 32)


def test_activations_inside_normalisations_of_timm() -> None:
    model = lived_in(timm.create_model("efficientnet_b0", num_classes=5), 2, 3, 32, 32)
    folded = fold_batchnorm(model)
    assert not folded.fold_report.kept
    assert_same(folded, model, 2, 3, 32, 32)


def test_after_freezing() -> None:
    model = lived_in(nn.Sequential(create_conv("kernel_warehouse", 3, 4, 3), nn.BatchNorm2d(4)), 4, 3, 6, 5)
    static = freeze(model, torch.randn(3, 3, 6, 5, dtype=torch.float64))
    folded = dynaconv.fold_batchnorm(static)
    assert [type(part) for part in folded] == [nn.Conv2d, nn.Identity]
    assert_same(folded, static, 2, 3, 6, 5)


def test_training_mode_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(ArgumentError, match="in evaluation mode"):
        fold_batchnorm(model)
    state = {name: value.clone() for name, value in model.eval().state_dict().items()}
    fold_batchnorm(model)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
