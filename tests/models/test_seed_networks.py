"""The three seed networks: the published sizes, their static twins, and other widths."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dynaconv import create_model, profile
from dynaconv.errors import ArgumentError
from dynaconv.layers import DynamicConv
from dynaconv.models.seeds import SEEDS

# Parameters as counted in the authors' scripts; multiply-adds where their form computes the same products as ours.
PUBLISHED = {
    "kernel_weighted_cnn": (1_321_125, 242_012_800),
    "fc_generated_cnn": (160_515, None),
    "dot_product_cnn": (208_160, 315_791_160),
}
TABLES = {
    "kernel_weighted_cnn": [(3, 128, 3), (128, 128, 3), (128, 128, 2), (128, 128, 3), (128, 128, 2)]
    + [(128, 128, 3, "dynamic")] * 3,
    "fc_generated_cnn": [(3, 128, 3)] + [(128, 128, 3, "dynamic"), (128, 128, 1)] * 5,
    "dot_product_cnn": [(3, 20, 3), (20, 50, 3, "dynamic"), (50, 70, 2, "dynamic"), (70, 90, 3, "dynamic")]
    + [(90, 100, 2, "dynamic")]
    + [(100, 100, 3, "dynamic")] * 3,
}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name: str) -> None:
    count, macs = PUBLISHED[name]
    found = profile(create_model(name), (3, 32, 32))
    assert found.parameters == count
    assert macs is None or found.macs + found.assembly == macs


@pytest.mark.parametrize("name", TABLES)
def test_layer_tables(name: str) -> None:
    rows = []
    for module in create_model(name).modules():
        if isinstance(module, DynamicConv):
            rows.append((module.spec.in_channels, module.spec.out_channels, module.spec.kernel_size[0], "dynamic"))
        elif isinstance(module, nn.Conv2d):
            rows.append((module.in_channels, module.out_channels, module.kernel_size[0]))
    assert rows == TABLES[name]


@pytest.mark.parametrize("name", SEEDS)
def test_static_twin_has_the_same_table(name: str) -> None:
    model, twin = create_model(name), create_model(name, conv="static")
    assert not any(isinstance(module, DynamicConv) for module in twin.modules())
    assert list(dict(twin.features.named_children())) == list(dict(model.features.named_children()))
    x = torch.randn(2, 3, 32, 32)
    for (_, ours), (_, theirs) in zip(model.features.named_children(), twin.features.named_children(), strict=True):
        assert type(ours) is type(theirs) or isinstance(ours, DynamicConv)
    assert twin(x).shape == model(x).shape == (2, 10)


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize(("width", "classes", "channels"), [(0.1, 3, 1), (0.25, 100, 3), (1.3, 10, 4)])
def test_any_width(name: str, width: float, classes: int, channels: int) -> None:
    model = create_model(name, width=width, num_classes=classes, in_channels=channels)
    y = model(torch.randn(1, channels, 20, 28))
    assert y.shape == (1, classes)
    y.sum().backward()


def test_another_method_in_the_same_table() -> None:
    model = create_model("kernel_weighted_cnn", conv="dot_product", conv_options={"bank_size": 4}, width=0.1)
    assert sum(isinstance(m, DynamicConv) for m in model.modules()) == 3


def test_options_are_laid_over_the_published_ones() -> None:
    model = create_model("dot_product_cnn", conv_options={"bank_size": 7}, width=0.2)
    layer = next(m for m in model.modules() if isinstance(m, DynamicConv))
    assert layer.slices.bank.shape[0] == 7
    assert layer.slices.keys.shape == (100, 7)


def test_profile_is_a_table() -> None:
    model = create_model("kernel_weighted_cnn", width=0.25).train()
    found = profile(model, (3, 32, 32))
    assert model.training
    lines = str(found).splitlines()
    assert lines[0].split() == ["layer", "kind", "parameters", "multiply-adds", "assembly"]
    assert lines[-1].split() == ["total", f"{found.parameters:,}", f"{found.macs:,}", f"{found.assembly:,}"]
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    assert sum(layer.macs for layer in found.layers) == found.macs
    assert sum(layer.assembly for layer in found.layers) == found.assembly
    assert [layer.kind for layer in found.layers].count("KernelWeightedConv2d") == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet9000"}, "name='resnet9000': expected one of kernel_weighted_cnn, fc_generated_cnn"),
        ({"conv": "odd"}, "name='odd': expected one of static"),
        ({"width": 0}, "width=0: expected a finite number > 0"),
        ({"width": float("nan")}, "width=nan: expected a finite number > 0"),
        ({"num_classes": 0}, "num_classes=0: expected an integer >= 1"),
        ({"in_channels": -1}, "in_channels=-1: expected an integer >= 1"),
        ({"conv": "static", "conv_options": {"bank_size": 3}}, "bank_size=3: expected only options that 'static' has"),
    ],
)
def test_errors(options: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_model(**{"name": "kernel_weighted_cnn", **options})
