"""Frozen models: plain convolutions, the means of the coefficients, and a true report of what that changed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.layers import CASES, LayerCase
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dynaconv
from dynaconv.convert import freeze
from dynaconv.errors import ArgumentError, ConversionError
from dynaconv.kernels import TapwiseKernel
from dynaconv.layers import DCDLinear, DynamicConv, FDConv2d, KernelWarehouseLinear, create_conv
from dynaconv.layers.block_router import BlockRouter, route_blocks
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d
from dynaconv.layers.same_padded import SamePadded
from dynaconv.ops.frequency_bands import modulate_bands

ON_FIELD = {"rfaconv", "rfcbamconv", "rfcaconv"}


def bands(case: LayerCase) -> bool:
    """Whether the layer weighs frequency bands of its input."""
    return bool(getattr(case.make(), "bands", ()))


everything = pytest.mark.parametrize("case", CASES, ids=str)
# Where the layer is a convolution of its input with a kernel, and nothing else.
plain_kernels = pytest.mark.parametrize("case", [c for c in CASES if c.name not in ON_FIELD and not bands(c)], ids=str)
one_kernel = pytest.mark.parametrize("case", [c for c in CASES if not c.tapwise and not bands(c)], ids=str)


class Small(nn.Module):
    """Two dynamic layers, one of them used twice, and class scores."""

    def __init__(self, name: str = "odconv", **options: Any) -> None:
        super().__init__()
        self.first = create_conv(name, 3, 6, 3, padding=1, **options)
        self.again = create_conv(name, 6, 6, 3, padding=1, **options)
        self.norm = nn.BatchNorm2d(6)
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.again(self.norm(self.again(self.first(x).relu()).relu()))
        scores: Tensor = self.linear(y.mean((2, 3)))
        return scores


def images(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 8, 7) + torch.randn(count, 3, 1, 1)


@everything
def test_nothing_dynamic_is_left(case: LayerCase) -> None:
    static, x = freeze(case.make().eval(), case.image(4)), case.image(5)
    assert not [m for m in static.modules() if isinstance(m, DynamicConv)]
    y = static(x)
    assert tuple(y.shape) == (5, case.geometry.out_channels, *case.make().spec.output_size(case.geometry.size))
    order = torch.tensor([2, 0, 1, 4, 3])
    torch.testing.assert_close(static(x[order]), y[order])


@plain_kernels
def test_is_one_convolution_of_the_mean_coefficients(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image(4)
    static = freeze(layer, x)
    assert type(static) in (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    spatial = tuple(range(3, 3 + layer.spec.dims))
    means = {name: value.mean(0, keepdim=True) for name, value in layer.coefficients(x).items()}
    if case.tapwise:
        means["taps"] = means["taps"].mean(spatial, keepdim=True)
    kernel = layer.assemble(means)
    weight = kernel.dense(layer.spec.groups) if isinstance(kernel, TapwiseKernel) else kernel.dense()
    torch.testing.assert_close(static.weight, weight.reshape(layer.spec.weight_shape))


@one_kernel
def test_exact_for_one_sample(case: LayerCase) -> None:
    layer, x = case.make().eval(), case.image(1)
    torch.testing.assert_close(freeze(layer, x)(x), layer(x))


def test_report_says_what_changed() -> None:
    model, x = Small(temperature=0.5).eval(), images()
    static = freeze(model, x)
    report = static.freeze_report
    assert report.layers == ("first", "again")
    assert report.images == 6
    assert report.difference.largest == pytest.approx(float((static(x) - model(x)).detach().abs().max()), rel=1e-5)
    same = (static(x).argmax(1) == model(x).argmax(1)).double().mean()
    assert report.agreement == pytest.approx(float(same))
    assert "2 layers frozen on 6 images" in str(report)
    assert "first" in str(report)


def test_the_model_stays_as_it_is() -> None:
    model = Small().train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    static = freeze(model, images())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in (*model.modules(), *static.modules()))
    assert not model.first._forward_pre_hooks
    assert static.first.weight.requires_grad


@pytest.mark.parametrize("form", ["list", "generator", "loader"])
def test_batches_are_as_good_as_one_tensor(form: str) -> None:
    model, x = Small().eval(), images(7)
    whole = freeze(model, x)
    labels = torch.zeros(7)
    batches: Any = {
        "list": [x[:3], x[3:]],
        "generator": (part for part in (x[:2], x[2:])),
        "loader": DataLoader(TensorDataset(x, labels), batch_size=4),
    }[form]
    parts = freeze(model, batches)
    torch.testing.assert_close(parts.first.weight, whole.first.weight)
    # As far as float32 goes, whose rounding depends on how many samples there are.
    found, expected = (frozen.freeze_report.difference.largest for frozen in (parts, whole))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert parts.freeze_report.images == 7


def test_layers_inside_others() -> None:
    x = images()
    padded = SamePadded(create_conv("condconv", 3, 4, 3, stride=2)).eval()
    static = freeze(padded, x[:1])
    torch.testing.assert_close(static(x[:1]), padded(x[:1]))
    for linear in (DCDLinear(3, 4, rank=2), KernelWarehouseLinear(3, 4)):
        vectors = torch.randn(1, 3)
        frozen = freeze(linear.eval(), vectors)
        assert type(frozen) is nn.Linear
        torch.testing.assert_close(frozen(vectors), linear(vectors))


class Routed(nn.Module):
    """A block whose layer is routed by the block."""

    def __init__(self, router: BlockRouter) -> None:
        super().__init__()
        self.conv = create_conv("condconv", 3, 3, 3, padding=1, num_kernels=4, router=router)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


def test_block_routers_go_with_their_layers() -> None:
    router = BlockRouter(3, 4)
    model, x = route_blocks(nn.Sequential(Routed(router)), {"0": router}).eval(), images(1)
    static = freeze(model, x)
    assert not [m for m in static.modules() if isinstance(m, BlockRouter)]
    assert not static._forward_hooks
    torch.testing.assert_close(static(x), model(x))
    assert model[0].router is router


def test_receptive_fields_keep_their_normalisation() -> None:
    layer = create_conv("rfaconv", 3, 4, 3, padding=1).eval()
    assert isinstance(layer, ReceptiveFieldConv2d)
    static = freeze(layer, images())
    assert [type(part) for part in static] == [nn.Conv2d, type(layer.field_norm), nn.ReLU, nn.Conv2d]


def test_bands_become_the_nearest_factor() -> None:
    layer, x = create_conv("fdconv", 3, 4, 3, padding=1).double().eval(), images().double()
    assert isinstance(layer, FDConv2d)
    torch.testing.assert_close(freeze(layer, x)(x), layer(x), rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    found = layer.coefficients(x)
    weighted = modulate_bands(x, found.pop("bands"), layer.bands)
    means = {name: value.mean(0, keepdim=True) for name, value in found.items()}
    factor = (weighted * x).sum((0, 2, 3)) / x.square().sum((0, 2, 3))
    expected = layer.assemble(means).dense()[0] * factor[:, None, None]
    torch.testing.assert_close(freeze(layer, x).weight, expected)


def test_networks() -> None:
    model = dynaconv.create_model("kernel_weighted_cnn", width=0.1).eval()
    static = dynaconv.freeze(model, torch.randn(4, 3, 32, 32))
    assert not [m for m in static.modules() if isinstance(m, DynamicConv)]
    assert static.freeze_report.agreement is not None


def test_what_cannot_be_frozen() -> None:
    with pytest.raises(ArgumentError, match="images=0: expected at least one image"):
        freeze(Small(), [])
    with pytest.raises(ArgumentError, match="images='int': expected a tensor or an iterable"):
        freeze(Small(), 3)
    model = Small()
    model.unused = create_conv("odconv", 3, 6, 3)
    with pytest.raises(ConversionError, match="unused: does not run on the images"):
        freeze(model, images())
