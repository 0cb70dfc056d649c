"""LGCF: its equation, what its taps depend on, its start, and that it is light."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv import create_model, profile
from dynaconv.errors import ArgumentError
from dynaconv.kernels import StaticKernel
from dynaconv.layers import DynamicConv, LGCFConv2d
from dynaconv.ops import conv


def moved(**options: object) -> LGCFConv2d:
    """A layer off its start."""
    layer = LGCFConv2d(4, 6, 3, **{"padding": 1, **options}).double().eval()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def image(batch: int = 2, size: tuple[int, int] = (7, 5)) -> Tensor:
    return torch.randn(batch, 4, *size, dtype=torch.float64)


def test_the_equation_written_out() -> None:
    layer, x = moved(stride=2, tap_groups=2, min_hidden=4, temperature=1.5), image()
    found, y = layer.coefficients(x)["taps"], layer(x)
    padded = F.pad(x, (1, 1, 1, 1))
    project, read = layer.local.project.weight[:, :, 0, 0], layer.local.window
    for b, h, w in ((0, 0, 0), (1, 3, 2), (1, 2, 1)):
        window = padded[b, :, 2 * h : 2 * h + 3, 2 * w : 2 * w + 3]
        local = (torch.einsum("dc,cij->dij", project, window) * read.weight[:, 0]).sum((1, 2)) + read.bias
        hidden = (local + layer.gate.fuse(x[b].mean((1, 2)))).relu()
        scores = layer.gate.head.weight[:, :, 0] @ hidden + layer.gate.head.bias
        taps = (2 * (scores / 1.5).sigmoid()).reshape(2, 3, 3)
        torch.testing.assert_close(found[b, :, :, h, w], taps.reshape(2, 9))
        weighted = window * taps.repeat_interleave(2, dim=0)
        torch.testing.assert_close(y[b, :, h, w], torch.einsum("ocij,cij->o", layer.weight, weighted) + layer.bias)


def test_starts_at_the_static_convolution() -> None:
    layer = LGCFConv2d(6, 8, 3, stride=2, padding=2, dilation=2, groups=2, tap_groups=3).double()
    x = torch.randn(3, 6, 9, 8, dtype=torch.float64)
    static = F.conv2d(x, layer.weight, layer.bias, stride=2, padding=2, dilation=2, groups=2)
    torch.testing.assert_close(layer(x), static)
    assert layer.local.window.groups == 8  # as many hidden units as min_hidden says


def test_one_step_separates_the_pairs() -> None:
    layer, x = LGCFConv2d(4, 4, 3, padding=1).double(), image(8)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    layer(x).sin().mean().backward()
    optimizer.step()
    assert (layer.coefficients(x)["taps"] - 1).abs().max() > 1e-4
    project = layer.local.project.weight
    assert not torch.allclose(project[:4], project[4:])


def test_taps_differ_between_samples_positions_and_taps() -> None:
    taps = moved().coefficients(image())["taps"]
    for dim in range(taps.dim()):
        if taps.shape[dim] > 1:
            assert not torch.allclose(taps.select(dim, 0), taps.select(dim, 1))


def test_taps_follow_their_window_and_the_whole_map() -> None:
    layer, x = moved(), image(1, (9, 9))
    before = layer.coefficients(x)["taps"]
    moved_pixels, other_map = x.clone(), x.clone()
    # Two pixels change places: the average stays, so taps change only where a window holds one of them.
    moved_pixels[..., 0, 0], moved_pixels[..., 0, 1] = x[..., 0, 1], x[..., 0, 0]
    other_map[..., 8, 8] += 5
    near = layer.coefficients(moved_pixels)["taps"]
    assert not torch.allclose(near[..., 0, 0], before[..., 0, 0])
    torch.testing.assert_close(near[..., 3:, 3:], before[..., 3:, 3:])
    assert not torch.allclose(layer.coefficients(other_map)["taps"][..., 0, 0], before[..., 0, 0])


def test_the_kernel_of_a_position_is_a_static_one() -> None:
    layer, x = moved(groups=2), image()
    everywhere = layer.kernel(x).dense(groups=2)
    here = StaticKernel(everywhere[1, ..., 4, 2], layer.bias)
    torch.testing.assert_close(conv(x[1:], here, layer.spec)[0, :, 4, 2], layer(x)[1, :, 4, 2])


def test_a_high_temperature_is_the_static_convolution() -> None:
    layer, x = moved(temperature=1e9), image()
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, layer.bias, padding=1))


def test_it_is_light() -> None:
    with torch.device("meta"):
        static, model = profile(create_model("resnet18")), create_model("lgcf_resnet18")
        found = profile(model)
        layers = {name: m for name, m in model.named_modules() if isinstance(m, DynamicConv)}
    assert len(layers) == 16
    assert all(m.spec.kernel_size == (3, 3) for m in layers.values())
    assert found.parameters <= 1.05 * static.parameters
    # Weighting the taps is element-wise, which the profile does not count: every layer's windows once more.
    output_size = {"layer1": 56, "layer2": 28, "layer3": 14, "layer4": 7}
    windows = sum(output_size[n.split(".")[0]] ** 2 * m.spec.in_channels * 9 for n, m in layers.items())
    assert found.macs + windows <= 1.15 * static.macs


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("tap_groups", 3, "tap_groups=3: expected a divisor of in_channels=4"),
        ("reduction", 0, "reduction=0: expected an integer >= 1"),
        ("min_hidden", 2.5, "min_hidden=2.5: expected an integer >= 1"),
        ("temperature", 0, "temperature=0: expected a number > 0"),
    ],
)
def test_bad_options(option: str, value: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        LGCFConv2d(4, 6, 3, **{option: value})
