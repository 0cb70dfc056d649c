"""Saved models come back as they were, whatever made them; files that lie are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import dynaconv
from dynaconv.convert import convert
from dynaconv.errors import ArgumentError, CheckpointError
from dynaconv.hub import read_info, register_with_timm
from dynaconv.hub.rebuild import own_state

KEY = "dynaconv"


def small(conv: str | None = None, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return dynaconv.create_model(
        "kernel_weighted_cnn", conv=conv, conv_options=options, width=0.1, num_classes=3, in_channels=1
    )


def foreign() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())


def same(a: nn.Module, b: nn.Module) -> bool:
    torch.manual_seed(1)
    x = torch.randn(2, 1, 20, 24, dtype=next(a.parameters()).dtype)
    return torch.equal(a.eval()(x), b.eval()(x))


@pytest.fixture(params=["m.safetensors", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / "deep" / request.param


@pytest.mark.parametrize(
    ("conv", "options"),
    [(None, {}), ("static", {}), ("odconv", {"num_kernels": 2}), ("dot_product", {"bank_size": 5})],
)
def test_created_models_come_back(place: Path, conv: str | None, options: dict[str, int]):
    model = small(conv, **options)
    dynaconv.save(model, place, {"classes": ["a", "b", "c"]})
    loaded = dynaconv.load(place)
    assert same(model, loaded)
    assert not loaded.training
    assert read_info(place) == {"classes": ["a", "b", "c"]}


def test_temperatures_and_statistics_come_back(place: Path):
    model = small("dyconv")
    model.train()(torch.randn(4, 1, 20, 20))
    dynaconv.set_temperature(model, 7.5)
    dynaconv.save(model, place)
    loaded = dynaconv.load(place)
    assert same(model, loaded)
    assert {float(v) for k, v in loaded.state_dict().items() if k.endswith("temperature.value")} == {7.5}


@pytest.mark.parametrize("method", ["odconv", "condconv", "kernel_warehouse", "dcd"])
def test_converted_models_come_back_and_go_again(place: Path, method: str):
    model = convert(small("static"), method)
    dynaconv.save(model, place)
    loaded = dynaconv.load(place)
    assert same(model, loaded)
    dynaconv.save(loaded, place)
    assert same(model, dynaconv.load(place))


def test_attention_blocks_come_back(tmp_path: Path):
    static = dynaconv.create_model("cifar_resnet18", num_classes=3)
    model = convert(convert(static, "odconv", stages=[4]), attention="se")
    dynaconv.save(model, tmp_path / "m.safetensors")
    loaded, x = dynaconv.load(tmp_path / "m.safetensors"), torch.randn(1, 3, 16, 16)
    assert torch.equal(loaded(x), model.eval()(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_types_come_back(place: Path, dtype: torch.dtype):
    dynaconv.save(small().to(dtype), place)
    assert next(dynaconv.load(place).parameters()).dtype == dtype


def test_shared_tensors_are_written_once_and_shared_again(tmp_path: Path):
    base = foreign()
    base.append(base[3])
    model = convert(base, "kernel_warehouse", include=["3"])
    dynaconv.save(model, tmp_path / "m.safetensors")
    assert len(load_file(tmp_path / "m.safetensors")) == len(own_state(model)) < len(model.state_dict())
    loaded = dynaconv.load(tmp_path / "m.safetensors", base=base)
    assert loaded[3] is loaded[5]
    assert same(model, loaded)


def test_networks_from_elsewhere_need_their_base(place: Path):
    base = foreign()
    model = convert(base, "odconv")
    dynaconv.save(model, place)
    before = {k: v.clone() for k, v in base.state_dict().items()}
    assert same(model, dynaconv.load(place, base=base))
    assert all(torch.equal(before[k], v) for k, v in base.state_dict().items())
    with pytest.raises(ArgumentError, match="base=None: expected the network before its conversions"):
        dynaconv.load(place)
    dynaconv.save(small(), place)
    with pytest.raises(ArgumentError, match="base='Sequential': expected None here"):
        dynaconv.load(place, base=base)


def test_a_model_that_was_changed_is_not_saved(place: Path):
    model = small()
    model.classifier = nn.Linear(5, 2)
    with pytest.raises(ArgumentError, match="as create_model and convert made it"):
        dynaconv.save(model, place)
    assert not place.exists()
    del model.created
    dynaconv.save(model, place)
    with pytest.raises(ArgumentError, match="info="):
        dynaconv.save(small(), place, {"x": {1, 2}})


def test_the_file_is_plain_safetensors(tmp_path: Path):
    model, path = small(), tmp_path / "m.safetensors"
    dynaconv.save(model, path)
    with safe_open(path, framework="pt") as file:
        described = json.loads(file.metadata()[KEY])
    assert described["created"]["name"] == "kernel_weighted_cnn"
    assert load_file(path).keys() == model.state_dict().keys()
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def rewrite(path: Path, **changes: object) -> None:
    with safe_open(path, framework="pt") as file:
        described = json.loads(file.metadata()[KEY])
    save_file(load_file(path), path, {KEY: json.dumps({**described, **changes})})


def created(**changes: object) -> dict[str, object]:
    plain = {"name": "kernel_weighted_cnn", "conv": None, "conv_options": {}, "num_classes": 3, "in_channels": 1}
    return {**plain, "width": 0.1, **changes}


LIES = {
    "another width": {"created": created(width=8.0)},
    "a network of terabytes": {"created": created(width=90_000.0)},
    "numbers beyond all sense": {"created": created(width=1e300)},
    "no such network": {"created": created(name="hf-hub:somebody/evil")},
    "no such argument": {"created": created(path="evil.py")},
    "options that are none": {"created": created(conv="odconv", conv_options={"router": "os.system"})},
    "arguments of other types": {"created": created(conv_options=[1], in_channels="x")},
    "no such method": {"conversions": [{"method": "os.system", "layers": [["features.0"]], "options": {}}]},
    "no such layer": {"conversions": [{"method": "odconv", "layers": [["nowhere.0"]], "options": {}}]},
    "a layer that is none": {"conversions": [{"method": "odconv", "layers": [[""]], "options": {}}]},
    "many kernels": {"conversions": [{"method": "odconv", "layers": [["x"]], "options": {"num_kernels": 10**9}}]},
    "a conversion of another form": {"conversions": ["odconv"]},
    "another version": {"dynaconv": 99},
    "nothing": {"created": 3, "info": None},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_descriptions_that_lie_are_refused(tmp_path: Path, lie: dict[str, object]):
    path = tmp_path / "m.safetensors"
    dynaconv.save(small(), path)
    rewrite(path, **lie)
    with pytest.raises(CheckpointError):
        dynaconv.load(path)


def test_weights_that_do_not_fit_are_named(tmp_path: Path):
    dynaconv.save(small(), tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    name = max(state, key=lambda key: state[key].numel())
    whole = torch.zeros_like(state[name], dtype=torch.int64)
    for change in ({name: torch.zeros(1)}, {name: whole}, {"more": torch.ones(1)}):
        save_file({**state, **change}, tmp_path / "model.safetensors")
        with pytest.raises(CheckpointError, match=f"do not fit its description: .*({name}|more)"):
            dynaconv.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{}", '{"dynaconv": NaN}', "\xff\xfe"])
def test_damaged_descriptions(tmp_path: Path, text: str):
    dynaconv.save(small(), tmp_path)
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError):
        dynaconv.load(tmp_path)


def test_what_is_not_there(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no such file"):
        dynaconv.load(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match=r"without config\.json"):
        dynaconv.load(tmp_path)
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="weights without a description"):
        dynaconv.load(tmp_path / "a.safetensors")


def test_timm_makes_our_networks():
    timm = pytest.importorskip("timm")
    assert register_with_timm() == register_with_timm()
    with torch.device("meta"):
        model = timm.create_model("dynaconv_odconv1x_resnet18", num_classes=5, in_chans=1)
    assert model.created["num_classes"] == 5
    assert model(torch.zeros(1, 1, 64, 64, device="meta")).shape == (1, 5)
    with pytest.raises(ArgumentError, match="pretrained=True"):
        timm.create_model("dynaconv_odconv1x_resnet18", pretrained=True)
