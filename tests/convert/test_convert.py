"""Converted models keep what they compute and how they are used."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dynaconv
from dynaconv.convert import Plan, apply, convert
from dynaconv.errors import ArgumentError, ConversionError
from dynaconv.layers import DynamicConv, FDConv2d, ODConv2d, SamePadded


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, groups=2),
    )


def test_works_on_a_copy_and_says_what_it_did():
    model, x = network().eval(), torch.randn(2, 3, 16, 14)
    state = copy.deepcopy(model.state_dict())
    converted = dynaconv.convert(model, "odconv", num_kernels=2)
    assert [type(m) for m in model] == [type(m) for m in network()]
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    torch.testing.assert_close(converted(x), model(x))
    (done,) = converted.conversions
    assert isinstance(done, Plan)
    assert done.inherited
    assert done.replaced == ["3", "6"]
    assert all(layer.error < 1e-6 for layer in done.layers if layer.action == "replace")
    assert pickle.loads(pickle.dumps(done)) == done
    assert not hasattr(model, "conversions")


def test_a_second_conversion_adds_to_the_first():
    model, x = network().eval(), torch.randn(2, 3, 16, 14)
    converted = convert(convert(model, "odconv", include="3"), "lgcf", include="6")
    assert [done.method for done in converted.conversions] == ["odconv", "lgcf"]
    torch.testing.assert_close(converted(x), model(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_keeps_the_type(dtype: torch.dtype):
    converted = convert(network().to(dtype), "dyconv")
    assert {p.dtype for p in converted.parameters()} == {dtype}


def test_keeps_modes_and_frozen_layers():
    model = network()
    model[3].eval().requires_grad_(False)
    converted = convert(model, "odconv")
    assert not any(m.training for m in converted[3].modules())
    assert not any(p.requires_grad for p in converted[3].parameters())
    assert all(m.training for m in converted[6].modules())
    assert all(p.requires_grad for p in converted[6].parameters())


def test_layers_used_twice_stay_one():
    conv = nn.Conv2d(8, 8, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), conv, nn.ReLU(), nn.Sequential(conv))
    converted, x = convert(model, "odconv"), torch.randn(2, 3, 9, 9)
    assert converted[1] is converted[3][0]
    torch.testing.assert_close(converted(x), model(x))


def test_hooks_are_called_and_can_be_removed():
    model, seen = network().eval(), []
    model[3].register_forward_hook(lambda module, args, output: seen.append(type(module)))
    model[6].register_forward_pre_hook(lambda module, args, kwargs: seen.append("before"), with_kwargs=True)
    converted = convert(model, "odconv")
    assert seen == []
    converted(torch.randn(1, 3, 9, 9))
    assert seen == [ODConv2d, "before"]


def test_example_checks_the_whole_model():
    model, x = network().eval(), torch.randn(1, 3, 16, 16)
    assert isinstance(convert(model, "odconv", example=x)[3], ODConv2d)

    class ReadsItsWeight(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * (2.0 if isinstance(self[3], nn.Conv2d) else 1.0)

    with pytest.raises(ConversionError, match="output differs"):
        convert(ReadsItsWeight(*model), "odconv", example=x)


def test_a_wrong_start_is_found(monkeypatch: pytest.MonkeyPatch):
    def wrong(layer: Any, conv: Any) -> bool:
        layer.bank.data[:] = conv.weight
        return True

    monkeypatch.setattr(apply, "start_from", wrong)
    with pytest.raises(ConversionError, match="differs by") as caught:
        convert(network(), "odconv")
    assert caught.value.layer == "3"


def test_what_cannot_be_equal_is_measured():
    converted = convert(network().eval(), "dot_product", bank_size=10)
    errors = [layer.error for layer in converted.conversions[0].layers if layer.action == "replace"]
    assert all(1e-3 < error < 1 for error in errors)
    assert "error" in str(converted.conversions[0])


def test_fresh_weights():
    model = network().eval()
    converted = convert(model, "odconv", inherit=False)
    assert not converted.conversions[0].inherited
    assert converted.conversions[0].layers[1].error is None
    x = torch.randn(1, 3, 9, 9)
    assert not torch.allclose(converted(x), model(x))


def test_other_dimensions_and_a_single_layer():
    sound, x = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Conv1d(4, 4, 5, dilation=2)), torch.randn(2, 2, 20)
    torch.testing.assert_close(convert(sound, "dyconv")(x), sound(x))
    video, x = nn.Sequential(nn.Conv3d(2, 4, 3), nn.Conv3d(4, 4, 2)), torch.randn(2, 2, 5, 6, 7)
    torch.testing.assert_close(convert(video, "odconv")(x), video(x), atol=1e-5, rtol=1e-5)
    alone, x = nn.Conv2d(4, 4, 3), torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(convert(alone, "odconv")(x), alone(x))


def test_circular_padding_and_dilation_are_proven_too():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(4, 4, 3, padding=4, dilation=4),
        nn.Conv2d(4, 4, (5, 3), padding=(2, 1), padding_mode="circular"),
        nn.Conv2d(4, 4, 4, padding="same"),
    )
    x = torch.randn(2, 3, 12, 11)
    torch.testing.assert_close(convert(model, "condconv", include="*")(x), model(x), atol=1e-5, rtol=1e-5)


def test_timm_convolutions_that_pad_by_the_input():
    timm = pytest.importorskip("timm")
    model = timm.create_model("tf_efficientnet_lite0", num_classes=5).eval()
    converted = convert(model, "odconv", stages=[2], num_kernels=2)
    padded = [m for m in converted.modules() if isinstance(m, SamePadded)]
    assert len(padded) == 1
    for size in (37, 64):
        x = torch.randn(1, 3, size, size)
        torch.testing.assert_close(converted(x), model(x), atol=1e-5, rtol=1e-4)


class Probing(nn.Module):
    """As detectors do: learns its strides from a dummy image in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()
        self.strides = self.probe()

    def probe(self) -> float:
        return 32 / self.body(torch.zeros(1, 3, 32, 32)).shape[-1]


@pytest.mark.parametrize("method", ["odconv", "kernel_warehouse", "dcd", "fdconv", "kernel_weighted"])
def test_models_that_probe_with_one_dummy_image_in_training(method: str):
    converted = convert(Probing().train(), method, include="body.[36]")
    assert converted.probe() == converted.strides
    converted.body(torch.randn(1, 3, 32, 32)).sum().backward()


def test_training_goes_on_from_the_same_loss():
    model = network()
    x, wanted = torch.randn(4, 3, 16, 16), torch.randn(4, 12, 5, 5)
    static = nn.functional.mse_loss(model(x), wanted)
    converted = convert(model, "odconv", temperature=30.0)
    dynaconv.TemperatureSchedule(converted, steps=5)
    optimizer = torch.optim.SGD(converted.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        losses.append(nn.functional.mse_loss(converted(x), wanted))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    torch.testing.assert_close(losses[0], static)
    assert losses[-1] < losses[0]


def test_copies_and_state_dicts():
    converted = convert(network().eval(), "kernel_warehouse")
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(copy.deepcopy(converted)(x), converted(x))
    again = convert(network().eval(), "kernel_warehouse", inherit=False)
    again.load_state_dict(converted.state_dict())
    torch.testing.assert_close(again(x), converted(x))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "method"),
        ({"method": "odconv", "attention": "se"}, "method"),
        ({"method": "odconv", "where": "blocks"}, "where"),
        ({"method": "fdconv", "include": "0"}, None),
        ({"method": "odconv", "min_channels": 99}, "model"),
        ({"method": "odconv", "nonsense": 1}, "nonsense"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], named: str | None):
    if named is None:
        assert isinstance(convert(network(), **arguments)[0], FDConv2d)
        return
    with pytest.raises(ArgumentError) as caught:
        convert(network(), **arguments)
    assert caught.value.argument == named


def test_every_replaced_layer_is_dynamic():
    converted = convert(network(), "condconv")
    assert [type(m).__name__ for m in converted if isinstance(m, DynamicConv)] == ["CondConv2d"]
