"""KernelWarehouse layers and networks give what the authors' code gives, loaded as their checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from support.made_up_warehouses import made_up_warehouses
from support.made_up_weights import numbers
from torch import Tensor, nn

from dynaconv import load_published, set_temperature
from dynaconv.convert import share_warehouse
from dynaconv.errors import CheckpointError
from dynaconv.layers import KernelWarehouseConv2d, KernelWarehouseLinear
from dynaconv.models.published import PRESETS

FIXTURES = Path(__file__).parents[1] / "fixtures" / "kernel_warehouse"
SOURCE = "OSVAI/KernelWarehouse"
CLOSE = {"rtol": 1e-9, "atol": 1e-10}

# The layers' static twins, the warehouse's options, the temperature: see make.py beside the fixtures.
PAIRS: dict[str, dict[str, Any]] = {
    "1x": {},
    "2x_strided": {"stride": 2, "budget": 2, "temperature": 0.25},
    "4x_dilated": {"dilation": 2, "budget": 4, "temperature": 1.0},
    "1d2x": {"budget": 0.5, "cell_ratio": 0.5, "temperature": 0.75},
    "1d4x": {"budget": 0.25, "cell_ratio": 0.5, "temperature": 1.0},
    "groups": {"groups": 2},
    "depthwise": {"groups": 8, "out": 8, "temperature": 0.5},
    "whole_taps": {"spatial_partition": False, "cell_ratio": (1.0, 0.5), "temperature": 0.25},
    "basis": {"basis_ratio": 0.25, "cell_ratio": (0.5, 0.25), "temperature": 0.75},
    "layer_norm": {"norm": "layer", "min_hidden": 20},
    "conv1d": {"conv": nn.Conv1d, "size": (11,)},
    "conv3d": {"conv": nn.Conv3d, "size": (4, 5, 3), "cell_ratio": (0.5, 1.0)},
    "linear": {"conv": None, "cell_ratio": (1.0, 0.25), "temperature": 0.5},
}


def recorded(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A fixture's tensors, and the state dict that made them."""
    with safe_open(FIXTURES / f"{name}.safetensors", framework="pt") as file:
        shapes = json.loads(file.metadata()["shapes"])
        kept = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dictionary)
    return kept, made_up_warehouses(shapes)


def thinned(y: Tensor) -> Tensor:
    return y.flatten(1)[:, :: 1 + y[0].numel() // 100]


def pair(
    *,
    conv: type[nn.Module] | None = nn.Conv2d,
    out: int = 16,
    size: tuple[int, ...] = (7, 6),
    temperature: float = 0.0,
    **options: Any,
) -> tuple[nn.Module, tuple[int, ...]]:
    """Layers `a` and `b` with a shared warehouse, and the shape of their input."""
    geometry = {name: options.pop(name) for name in ("stride", "dilation", "groups") if name in options}
    if conv is None:
        layers, shape = {"a": nn.Linear(8, out), "b": nn.Linear(8, 8, bias=False)}, (3, 5, 8)
    else:
        geometry |= {"padding": 2}
        layers, shape = {"a": conv(8, out, 3, **geometry), "b": conv(8, 8, 3, bias=False, **geometry)}, (3, 8, *size)
    model = share_warehouse(nn.ModuleDict(layers), ["a", "b"], **options).double()
    set_temperature(model, temperature)
    return model, shape


@pytest.mark.parametrize("name", PAIRS)
def test_layers_are_the_authors(name: str) -> None:
    kept, state = recorded(name)
    model, shape = pair(**PAIRS[name])
    load_published(model, state, SOURCE).eval()
    x = (1 + numbers(f"{name}.x", shape)).requires_grad_()
    torch.testing.assert_close(thinned(model["a"](x)), kept["a"], **CLOSE)
    torch.testing.assert_close(thinned(model["b"](x)), kept["b"], **CLOSE)
    y = model["b"].train()(x)
    (gradient,) = torch.autograd.grad(y, x, numbers(f"{name}.upstream", tuple(y.shape)))
    torch.testing.assert_close(thinned(y), kept["b_training"], **CLOSE)
    torch.testing.assert_close(thinned(gradient), kept["x_gradient"], **CLOSE)


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("kw*.safetensors")))
def test_networks_are_the_authors(name: str) -> None:
    kept, state = recorded(name)
    model = load_published(PRESETS[name].build(10, 3).double().eval(), state, SOURCE)
    with torch.no_grad():
        torch.testing.assert_close(model(2 * numbers("images", (2, 3, 64, 48))), kept["y"], **CLOSE)


def test_one_layer_alone() -> None:
    torch.manual_seed(3)
    layer = KernelWarehouseConv2d(8, 16, 3, budget=2).double()
    own = layer.state_dict()
    state = {k.replace("norm.", "norm1."): torch.rand_like(v) for k, v in own.items() if v.is_floating_point()}
    cells = state.pop("warehouse.cells")
    del state["attention.temperature.value"]
    load_published(
        layer, {"module.warehouse_manager.weights.0": cells} | {f"module.{k}": v for k, v in state.items()}, SOURCE
    )
    assert torch.equal(layer.warehouse.cells, cells)
    assert torch.equal(layer.attention.norm.running_mean, state["attention.norm1.running_mean"])
    assert torch.equal(layer.attention.assignment, own["attention.assignment"])


def test_a_linear_layer_alone() -> None:
    layer = KernelWarehouseLinear(8, 4, cell_ratio=0.5)
    theirs = {
        key.replace("norm.", "norm1."): torch.rand_like(value)
        for key, value in layer.state_dict().items()
        if key.startswith("conv.attention.") and value.is_floating_point() and not key.endswith("temperature.value")
    }
    cells, bias = torch.rand(4, 2, 4, 1), torch.rand(4)
    load_published(layer, {**theirs, "conv.bias": bias, "warehouse_manager.weights.0": cells}, SOURCE)
    assert torch.equal(layer.conv.warehouse.cells, cells)
    assert torch.equal(layer.conv.bias, bias)


def test_what_does_not_fit_is_named() -> None:
    _, state = recorded("1x")
    model, _ = pair(budget=2)
    with pytest.raises(CheckpointError, match=r"of another shape: .*a\.warehouse\.cells"):
        load_published(model, state, SOURCE)
    model, _ = pair()
    del state["a.attention.fc1.weight"]
    with pytest.raises(CheckpointError, match=r"1 missing: a\.attention\.fc1\.weight; 1 unexpected: warehouse_manager"):
        load_published(model, {**state, "warehouse_manager.weights.1": torch.zeros(2)}, SOURCE)
