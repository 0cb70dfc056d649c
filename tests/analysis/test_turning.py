from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dynaconv.analysis import turn
from dynaconv.analysis.rotation import rotate
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers import KernelWeightedConv2d


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        KernelWeightedConv2d(6, 5, 3),
        nn.Dropout(0.5),
        KernelWeightedConv2d(5, 4, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    for layer in (net[3], net[5]):
        nn.init.normal_(layer.gate.embedding)  # starts at zero, where the gates ignore the image
    return net


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(1))


def test_every_dynamic_layer_is_recorded_in_order(model: nn.Module, image: Tensor) -> None:
    found = turn(model, image)
    assert found.angles == tuple(float(angle) for angle in range(0, 361, 10))
    assert found.images.shape == (37, 1, 12, 12)
    assert [layer.name for layer in found.layers] == ["3", "5"]
    assert found.layers[0].coefficients["slice_gate"].shape == (37, 6 * 5)
    assert found.layers[0].kernel_change.shape == (37,)


def test_a_full_circle_is_no_turn_at_all(model: nn.Module, image: Tensor) -> None:
    found = turn(model, image, (0, 90, 360, -360, 720))
    assert all(torch.equal(found.images[i], found.images[0]) for i in (2, 3, 4))
    for layer in found.layers:
        gates = layer.coefficients["slice_gate"]
        torch.testing.assert_close(gates[2:], gates[:1].expand(3, -1))
        torch.testing.assert_close(layer.kernel_change[[0, 2, 3, 4]], torch.zeros(4), atol=1e-5, rtol=0)
        assert layer.kernel_change[1] > 1e-4


def test_a_quarter_turn_is_the_rotated_image(image: Tensor) -> None:
    turned = rotate(image[None], torch.tensor([90.0]))
    torch.testing.assert_close(turned[0], torch.rot90(image, 1, (1, 2)), atol=1e-5, rtol=1e-5)


def test_the_kernel_change_is_the_relative_distance(model: nn.Module, image: Tensor) -> None:
    found = turn(model, image, (40,))
    model.eval()
    with torch.no_grad():
        pair = model[:3](torch.cat([image[None], found.images]))
        upright, turned = model[3].kernel(pair).dense()
    expected = (turned - upright).norm() / upright.norm()
    torch.testing.assert_close(found.layers[0].kernel_change, expected[None])


def test_predictions_are_the_models_on_the_normalised_images(model: nn.Module, image: Tensor) -> None:
    found = turn(model, image, (0, 50, 130), mean=(0.4,), std=(0.3,))
    model.eval()
    assert torch.equal(found.predictions, model((found.images - 0.4) / 0.3).argmax(1))
    assert float(found.images.min()) >= 0


def test_modes_and_hooks_are_left_as_they_were(model: nn.Module, image: Tensor) -> None:
    model.train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    turn(model, image, (0, 10))
    assert [module.training for module in model] == [True, False, *[True] * 6]
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_static_model_is_refused(image: Tensor) -> None:
    with pytest.raises(ArgumentError, match=r"model='Conv2d': expected a model with at least one dynamic conv"):
        turn(nn.Conv2d(1, 1, 3), image)


def test_a_batch_is_refused(model: nn.Module, image: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"image=\(1, 1, 12, 12\): expected one image"):
        turn(model, image[None])


@pytest.mark.parametrize("angles", [(), (0.0, float("nan"))])
def test_angles_must_be_numbers(model: nn.Module, image: Tensor, angles: tuple[float, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"angles=.*at least one finite number of degrees"):
        turn(model, image, angles)
