"""Plans say what is replaced, kept and impossible, why, and what it costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from dynaconv import profile
from dynaconv.convert import convert, plan
from dynaconv.convert.rules import RULES
from dynaconv.errors import ArgumentError
from dynaconv.layers import list_convs

torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    return torchvision.models.resnet18(num_classes=10)


@pytest.fixture(scope="module")
def mobilenet() -> nn.Module:
    return torchvision.models.mobilenet_v3_small(num_classes=10)


def reasons(model: nn.Module, *args: object, **kwargs: object) -> dict[str, str]:
    return {name: layer.reason for layer in plan(model, *args, **kwargs).layers for name in layer.names}


def test_every_method_that_changes_no_context_can_be_planned():
    assert set(RULES) == set(list_convs()) - {"static", "causal"}


def test_published_rules(resnet: nn.Module):
    assert len(plan(resnet, "odconv").replaced) == 16
    assert len(plan(resnet, "dyconv").replaced) == 19
    found = reasons(resnet, "odconv")
    assert found["conv1"] == "the stem"
    assert found["layer2.0.downsample.0"] == "projects a shortcut"
    assert "fc" not in found


def test_attention_and_depthwise_layers(mobilenet: nn.Module):
    found = reasons(mobilenet, "dcd")
    assert found["features.1.block.1.fc1"] == "part of SqueezeExcitation"
    assert found["features.1.block.0.0"] == "depthwise"
    # The dynamic classifier, as published.
    assert found["classifier.3"] == ""
    assert found["classifier.0"] == "a linear layer that is not the classifier"


def test_choosing(resnet: nn.Module):
    assert plan(resnet, "odconv", include="layer4.1").replaced == ["layer4.1.conv1", "layer4.1.conv2"]
    assert plan(resnet, "odconv", include=["conv1"]).replaced == ["conv1"]
    assert plan(resnet, "odconv", include=["*.conv1"]).replaced[:2] == ["layer1.0.conv1", "layer1.1.conv1"]
    every = plan(resnet, "odconv")
    assert plan(resnet, "odconv", include=every.replaced).replaced == every.replaced
    downsample = plan(resnet, "odconv", include="downsample").replaced
    assert len(downsample) == 3
    assert len(plan(resnet, "odconv", exclude=["layer[12].*", "conv2"]).replaced) == 4
    assert len(plan(resnet, "odconv", min_channels=512).replaced) == 3
    assert plan(resnet, "odconv", include="*", kernel_size=7).replaced == ["conv1"]
    assert len(plan(resnet, "odconv", include="*", kernel_size=(1, 1)).replaced) == 3
    assert len(plan(resnet, "odconv", stages=[2, 3]).replaced) == 8


def test_what_cannot_be_replaced():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        parametrizations.weight_norm(nn.Conv2d(4, 4, 3)),
        prune.l1_unstructured(nn.Conv2d(4, 4, 3), "weight", amount=1),
        nn.ConvTranspose2d(4, 4, 3),
        nn.LazyConv2d(4, 3),
        type("Padded", (nn.Conv2d,), {})(4, 4, 3),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 3),
        nn.Conv1d(4, 4, 3),
        nn.Conv2d(4, 8, 3),
    )
    model[7].weight = model[6].weight
    planned = plan(model, "involution")
    assert [layer.action for layer in planned.layers] == ["keep", *["cannot"] * 5, "replace", *["cannot"] * 3]
    why = [layer.reason for layer in planned.layers]
    expected = [
        "stem",
        "parametrisation",
        "hook",
        "transposed",
        "run once",
        "Padded",
        "",
        "shares",
        "1-d",
        "no channels",
    ]
    assert all(word in reason for word, reason in zip(expected, why, strict=True))


def test_layers_inside_dynamic_layers_are_their_own():
    model = convert(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)), "lgcf")
    found = reasons(model, "odconv")
    assert found["1.local.project"] == "part of LGCFConv2d"


@pytest.mark.parametrize("method", ["odconv", "kernel_warehouse", "fdconv", "dcd", "kernel_weighted"])
def test_costs_are_those_of_the_converted_model(method: str):
    model = torchvision.models.shufflenet_v2_x0_5(num_classes=10).eval()
    x = torch.randn(1, 3, 64, 64)
    planned = plan(model, method, example=x)
    changed = {
        "parameters": sum(layer.after.parameters - layer.before.parameters for layer in planned.layers),
        "macs": sum(layer.after.macs - layer.before.macs for layer in planned.layers),
        "assembly": sum(layer.after.assembly for layer in planned.layers),
    }
    before = profile(model, (3, 64, 64))
    after = profile(convert(model, method, inherit=False), (3, 64, 64))
    assert changed == {name: getattr(after, name) - getattr(before, name) for name in changed}


def test_text(resnet: nn.Module):
    text = str(plan(resnet, "odconv", num_kernels=1, example=torch.randn(1, 3, 32, 32)))
    assert "16 of 20 layers replaced" in text
    assert "multiply-adds" in text
    assert "relative" not in text


def test_layers_used_twice_are_one():
    conv = nn.Conv2d(8, 8, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), conv, nn.ReLU(), conv)
    planned = plan(model, "odconv", example=torch.randn(1, 3, 6, 6))
    assert planned.layers[1].names == ("1", "3")
    assert planned.layers[1].before.macs == 2 * 16 * 8 * 8 * 9
    assert "1 (and 1 more)" in str(planned)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"method": "static"}, "method"),
        ({"method": "odkonv"}, "method"),
        ({"method": "odconv", "kernels": 4}, "kernels"),
        ({"method": "odconv", "num_kernels": 0}, "num_kernels"),
        ({"method": "kernel_warehouse", "warehouse": None}, "warehouse"),
        ({"method": "odconv", "include": "layer9"}, "include"),
        ({"method": "odconv", "stages": [5]}, "stages"),
    ],
)
def test_wrong_arguments_are_named(resnet: nn.Module, arguments: dict[str, object], named: str):
    with pytest.raises(ArgumentError) as caught:
        plan(resnet, **arguments)
    assert caught.value.argument == named
