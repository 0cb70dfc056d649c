"""Frozen and folded models come back from files, whatever method they were made with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.layers import CASES, LayerCase
from torch import Tensor, nn

import dynaconv
from dynaconv.convert import fold_batchnorm, freeze
from dynaconv.errors import CheckpointError
from dynaconv.layers import DCDLinear, KernelWarehouseLinear, create_conv
from dynaconv.layers.same_padded import SamePadded

KEY = "dynaconv"
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
PLAIN = [case for case in CASES if case.plain]


def reloaded(model: nn.Module, path: Path, base: nn.Module | None = None) -> nn.Module:
    dynaconv.save(model, path / "m.safetensors")
    return dynaconv.load(path / "m.safetensors", base=base)


def assert_same(loaded: nn.Module, model: nn.Module, x: Tensor) -> None:
    assert torch.equal(loaded(x), model.eval()(x))


def small(name: str = "kernel_weighted_cnn", **options: object) -> nn.Module:
    torch.manual_seed(0)
    width = {"width": 0.1} if name.endswith("cnn") else {}
    return dynaconv.create_model(name, num_classes=3, **width, **options).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_every_method_frozen_and_folded(case: LayerCase, tmp_path: Path) -> None:
    g, x = case.geometry, case.image()
    base = nn.Sequential(case.make(), NORMS[len(g.size)](g.out_channels).double(), nn.ReLU()).eval()
    model = fold_batchnorm(freeze(base, x))
    loaded = reloaded(model, tmp_path, base)
    assert_same(loaded, model, x)
    assert_same(reloaded(loaded, tmp_path, base), model, x)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_every_method_folded_alone(case: LayerCase, tmp_path: Path) -> None:
    g, x = case.geometry, case.image()
    base = nn.Sequential(case.make(), NORMS[len(g.size)](g.out_channels).double(), nn.ReLU()).eval()
    model = fold_batchnorm(base)
    assert_same(reloaded(model, tmp_path, base), model, x)


def test_networks_by_name_need_no_base(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 32, 32)
    for model in (small(), small("cifar_resnet18"), small("resnet18", conv="odconv")):
        static = freeze(model, x)
        assert_same(reloaded(static, tmp_path), static, x)
        folded = fold_batchnorm(static)
        assert_same(reloaded(folded, tmp_path), folded, x)


def test_converted_frozen_converted_again(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 32, 32)
    model = freeze(dynaconv.convert(small("cifar_resnet18"), "odconv", stages=[1]), x)
    model = dynaconv.convert(model, "dyconv", stages=[2]).eval()
    loaded = reloaded(model, tmp_path)
    assert_same(loaded, model, x)
    assert [type(done).__name__ for done in loaded.conversions] == ["Plan", "Freezing", "Plan"]


@pytest.mark.parametrize("linear", [DCDLinear, KernelWarehouseLinear])
def test_linear_layers(linear: type[nn.Module], tmp_path: Path) -> None:
    base, x = nn.Sequential(linear(6, 5), nn.ReLU()), torch.randn(4, 6)
    static = freeze(base, x)
    assert_same(reloaded(static, tmp_path, base), static, x)


def test_a_layer_alone_a_shared_one_and_padding_by_size(tmp_path: Path) -> None:
    x = torch.randn(3, 4, 7, 6)
    layer = create_conv("odconv", 4, 4, 3, padding=1)
    for base in (layer, nn.Sequential(layer, layer), nn.Sequential(SamePadded(create_conv("dyconv", 4, 4, 3, 2)))):
        static = freeze(base, x)
        assert_same(reloaded(static, tmp_path, base), static, x)


def test_block_routers(tmp_path: Path) -> None:
    model, x = small("condconv4e_efficientnet_b0"), torch.randn(2, 3, 32, 32)
    static = freeze(model, x)
    assert_same(reloaded(static, tmp_path), static, x)


LIES = {
    "layers that are none": {"frozen": ["nowhere"], "biased": []},
    "no layers": {"frozen": 3, "biased": []},
    "no biases": {"frozen": []},
    "biases that are not there": {"frozen": None, "biased": ["features.0"]},
    "folded elsewhere": {"folded": {"a": "b"}},
    "folded into a number": {"folded": {"a": 3}},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_descriptions_that_lie_are_refused(lie: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    dynaconv.save(freeze(small(), torch.randn(2, 3, 20, 20)), path)
    described = description(path)
    told = {**described["conversions"][-1], **lie} if lie.get("frozen", 0) is None else lie
    save_file(load_file(path), path, {KEY: json.dumps({**described, "conversions": [told]})})
    with pytest.raises(CheckpointError):
        dynaconv.load(path)


def test_what_was_large_before_it_was_frozen_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = small("resnet18", conv="dyconv", conv_options={"num_kernels": 2})
    dynaconv.save(freeze(model, torch.randn(1, 3, 32, 32)), path)
    described = description(path)
    described["created"]["conv_options"]["num_kernels"] = 900
    save_file(load_file(path), path, {KEY: json.dumps(described)})
    with pytest.raises(CheckpointError, match="at most 64 times as many numbers"):
        dynaconv.load(path)


def description(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, dict[str, dict[str, object]]] = json.loads(file.metadata()[KEY])
    return found
