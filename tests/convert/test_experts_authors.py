"""ODConv, dynamic convolution and CondConv give what the authors' code and timm give, loaded as checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors import safe_open
from support.made_up_weights import numbers, recorded
from timm.layers import CondConv2d as TimmCondConv2d
from torch import Tensor, nn

from dynaconv import create_conv, load_published
from dynaconv.errors import CheckpointError
from dynaconv.layers import BlockRouter, CondConv2d, ODConv2d
from dynaconv.models.published import PRESETS

FIXTURES = Path(__file__).parents[1] / "fixtures"
ODCONV = FIXTURES / "odconv"
DYCONV = FIXTURES / "dynamic_convolution"
OSVAI, KAIJIESHI7 = "OSVAI/ODConv", "kaijieshi7/Dynamic-convolution-Pytorch"
CLOSE = {"rtol": 1e-9, "atol": 1e-10}


def layers(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.safetensors") if "net" not in path.stem)


def metadata(path: Path, *names: str) -> list[Any]:
    with safe_open(path, framework="pt") as file:
        return [json.loads(file.metadata()[name]) for name in names]


def geometry(theirs: dict[str, Any]) -> dict[str, Any]:
    """Their arguments as ours."""
    names = {"in_planes": "in_channels", "out_planes": "out_channels"}
    kept = ("kernel_size", "stride", "padding", "dilation", "groups")
    return {names.get(key, key): value for key, value in theirs.items() if key in names or key in kept}


def gradient(layer: nn.Module, x: Tensor, name: str) -> Tensor:
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(numbers(f"{name}.y", tuple(y.shape)))
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("name", layers(ODCONV))
def test_odconv_layers(name: str) -> None:
    kept, state = recorded(ODCONV / f"{name}.safetensors")
    theirs, temperature = metadata(ODCONV / f"{name}.safetensors", "arguments", "temperature")
    options = {"num_kernels": theirs["kernel_num"], "reduction": round(1 / theirs.get("reduction", 1 / 16))}
    layer = ODConv2d(**geometry(theirs), bias=False, temperature=temperature, **options).double()
    load_published(layer, state, OSVAI)
    x = 2 * numbers(f"{name}.x", (2, theirs["in_planes"], 5, 4))
    torch.testing.assert_close(layer.eval()(x), kept["evaluated"], **CLOSE)
    torch.testing.assert_close(gradient(layer, x, name), kept["gradient"], **CLOSE)
    torch.testing.assert_close(layer.train()(x), kept["trained"], **CLOSE)


@pytest.mark.parametrize("name", layers(DYCONV))
def test_dynamic_convolution_layers(name: str) -> None:
    kept, state = recorded(DYCONV / f"{name}.safetensors")
    theirs, size = metadata(DYCONV / f"{name}.safetensors", "arguments", "size")
    layer = create_conv(
        "dyconv",
        **geometry(theirs),
        bias=theirs.get("bias", True),
        dims=len(size),
        num_kernels=theirs["K"],
        reduction=round(1 / theirs["ratio"]),
        temperature=theirs["temperature"],
        as_published=True,
    ).double()
    load_published(layer, state, KAIJIESHI7)
    x = 2 * numbers(f"{name}.x", (2, theirs["in_planes"], *size))
    torch.testing.assert_close(layer(x), kept["output"], **CLOSE)
    torch.testing.assert_close(gradient(layer, x, name), kept["gradient"], **CLOSE)


@pytest.mark.parametrize("name", ["odconv1x_resnet18", "odconv1x_resnet50", "odconv2x_mobilenetv2_050"])
def test_odconv_networks(name: str) -> None:
    kept, state = recorded(ODCONV / f"{name}.safetensors")
    model = load_published(PRESETS[name].build(10, 3).double().eval(), {"state_dict": state}, OSVAI)
    torch.testing.assert_close(model(numbers(f"{name}.x", (2, 3, 64, 48))), kept["scores"], **CLOSE)


@pytest.mark.parametrize("name", ["dyconv4x_resnet18.kaijieshi7", "dyconv4x_resnet50.kaijieshi7"])
def test_dynamic_convolution_networks(name: str) -> None:
    kept, state = recorded(DYCONV / f"{name}.safetensors")
    model = PRESETS[name].build(10, 3)
    model.layer4 = nn.Identity()
    model.fc = nn.Linear(state["fc.weight"].shape[1], 10)
    load_published(model.double(), {f"module.{key}": value for key, value in state.items()}, KAIJIESHI7)
    # Their temperature starts at 34, and is no part of the checkpoint.
    for layer in model.modules():
        if hasattr(layer, "router"):
            layer.router.temperature.set(34.0)
    torch.testing.assert_close(model.eval()(numbers(f"{name}.x", (2, 3, 64, 48))), kept["scores"], **CLOSE)


def test_timm_layer() -> None:
    torch.manual_seed(0)
    theirs = TimmCondConv2d(6, 8, 3, stride=2, padding=1, groups=2, bias=True, num_experts=5).double()
    router = BlockRouter(6, 5).double()
    ours = CondConv2d(6, 8, 3, 2, 1, groups=2, num_kernels=5, router=router).double()
    load_published(ours, theirs.state_dict(), "timm")
    x = torch.randn(3, 6, 9, 8, dtype=torch.float64)
    shares = router(x)
    torch.testing.assert_close(ours(x), theirs(x, shares), **CLOSE)


@pytest.mark.parametrize("size", [(64, 64), (65, 50)])
def test_timm_network(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("tf_efficientnet_cc_b0_4e", num_classes=10).double().eval()
    ours = PRESETS["condconv4e_efficientnet_b0"].build(10, 3).double().eval()
    load_published(ours, theirs.state_dict(), "timm")
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), **CLOSE)


def test_what_does_not_fit_is_listed() -> None:
    _, state = recorded(ODCONV / "plain.safetensors")
    missing = {key: value for key, value in state.items() if key != "attention.bn.running_var"}
    layer = ODConv2d(6, 8, 3, padding=1, bias=False)
    with pytest.raises(CheckpointError, match=r"1 missing: attention.norm.running_var"):
        load_published(layer, missing, OSVAI)
    with pytest.raises(
        CheckpointError, match=r"3 of another shape: bank \(4, 8, 6, 3, 3\) instead of \(2, 8, 6, 3, 3\)"
    ):
        load_published(ODConv2d(6, 8, 3, padding=1, bias=False, num_kernels=2), state, OSVAI)
