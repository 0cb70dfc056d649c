"""FDConv: its parts written out, its start, and the authors' numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.made_up_weights import numbers, recorded
from torch import Tensor, nn
from torch.nn import functional as F

from dynaconv.convert.checkpoints import load_published
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels.fourier import frequency_order
from dynaconv.layers import FDConv2d
from dynaconv.ops.frequency_bands import modulate_bands

FIXTURES = Path(__file__).parents[1] / "fixtures" / "fdconv"
AUTHORS: dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[int, int]]] = {
    "plain": ((18, 20, 3, 1, 1), {"num_kernels": 6}, (7, 6)),
    "strided": ((20, 18, 3, 2, 1), {"num_kernels": 6, "bias": False}, (9, 8)),
    "pointwise": ((20, 24, 1), {"num_kernels": 8}, (5, 4)),
    "large_map": ((18, 18, 1), {"num_kernels": 9, "bias": False}, (4, 5)),
    "tanh": ((18, 18, 3), {"num_kernels": 2, "activation": "tanh", "local_activation": "tanh"}, (5, 6)),
    "kernels_alone": (
        (18, 18, 3),
        {"num_kernels": 2, "kernels_only": True, "local": False, "activation": "softmax"},
        (5, 6),
    ),
    "temperatures": (
        (18, 18, 3),
        {
            "num_kernels": 2,
            "temperature": 3.0,
            "kernel_temperature": 0.5,
            "gate_scale": 1.5,
            "bands": (),
            "reduction": 1,
        },
        (5, 6),
    ),
    "two_spectra": ((18, 18, 3), {"num_kernels": 2, "spectra": 2, "bands": ()}, (4, 4)),
    "low_frequencies": ((18, 18, 3), {"num_kernels": 3, "kept_frequencies": 0.5, "bands": ()}, (4, 4)),
    "bands": (
        (18, 18, 3),
        {"num_kernels": 2, "bands": (3, 5), "low_band_gate": True, "band_activation": "tanh", "band_groups": 2},
        (7, 8),
    ),
    "band_softmax": (
        (18, 18, 3),
        {"num_kernels": 2, "band_activation": "softmax", "band_groups": 3, "band_kernel": 5},
        (9, 6),
    ),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_layers_are_the_authors(name: str) -> None:
    arguments, options, size = AUTHORS[name]
    fixture, state = recorded(FIXTURES / f"{name}.safetensors")
    layer = FDConv2d(*arguments, **options, as_published=True).double()
    load_published(layer, state, "Linwei-Chen/FDConv")
    x = numbers("x", (2, arguments[0], *size)).requires_grad_()
    y = layer.eval()(x)
    torch.testing.assert_close(y, fixture["y"], rtol=1e-10, atol=1e-12)
    (gradient,) = torch.autograd.grad(y, x, numbers("upstream", tuple(y.shape)))
    torch.testing.assert_close(gradient, fixture["x_gradient"], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(layer.train()(x), fixture["y_training"], rtol=1e-10, atol=1e-12)


def image(channels: int = 4, size: tuple[int, int] = (7, 6)) -> Tensor:
    noise = torch.randn(3, channels, *size, dtype=torch.float64)
    return noise + torch.randn(3, channels, 1, 1, dtype=torch.float64)


def moved(layer: FDConv2d) -> FDConv2d:
    """The layer with gates that are not one."""
    with torch.no_grad():
        for parameter in layer.double().parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return layer.eval()


def test_frequencies_are_exact_and_in_order() -> None:
    rows, columns = 12, 10
    order = frequency_order(rows, columns)
    f = torch.cartesian_prod(torch.fft.fftfreq(rows), torch.fft.rfftfreq(columns)).norm(dim=1)[order]
    assert order.sort().values.equal(torch.arange(rows * (columns // 2 + 1)))
    assert (f.diff() > -1e-6).all()
    ties = f.diff().abs() < 1e-7
    assert (order.diff()[ties] > 0).all()


@pytest.mark.parametrize("num_kernels", [1, 5, 64])
def test_kernels_are_disjoint_and_sum_to_an_ordinary_one(num_kernels: int) -> None:
    layer = FDConv2d(4, 6, 3, num_kernels=num_kernels, local=False).double()
    weight = torch.randn(6, 4, 3, 3, dtype=torch.float64)
    layer.kernels.start_from(weight)
    gates = torch.eye(num_kernels, dtype=torch.float64)
    parts = layer.kernels(gates, None, None, None, None).dense()
    torch.testing.assert_close(parts.sum(0), weight)
    spectra = torch.fft.rfft2(parts.transpose(2, 3).reshape(num_kernels, 18, 12))
    # The first and the last column hold every frequency and its opposite, which may be in neighbouring runs.
    assert (spectra.abs() > 1e-9)[..., 1:-1].sum(0).max() == 1
    counts = layer.kernels.runs.flatten().bincount(minlength=num_kernels)
    assert counts.max() - counts.min() <= 1


def test_equation() -> None:
    layer, x = moved(FDConv2d(4, 6, 3, padding=1, num_kernels=5)), image()
    found, g = layer.coefficients(x), x.mean((2, 3))
    whole = torch.fft.irfft2(
        torch.view_as_complex(layer.kernels.spectrum[0].detach()) * 4 * found["kernels"][1][layer.kernels.runs.T],
        s=(18, 12),
    )
    weight = whole.reshape(6, 3, 4, 3).transpose(1, 2)
    width = layer.local.width
    padded = F.pad(F.layer_norm(g, (4,), layer.local.norm.weight, layer.local.norm.bias), (width // 2, width // 2))
    kernel = layer.kernel(x).dense()[1]
    for o, i, u, v in ((0, 0, 0, 0), (5, 3, 2, 1), (2, 1, 0, 2)):
        scores = layer.kernels.local[o * 9 + u * 3 + v] @ padded[1, i : i + width]
        gates = found["taps"][1, u * 3 + v] * found["inputs"][1, i] * found["outputs"][1, o]
        torch.testing.assert_close(kernel[o, i, u, v], weight[o, i, u, v] * gates * torch.sigmoid(scores))
    bands = modulate_bands(x, found["bands"], (2, 4, 8))
    y = F.conv2d(bands[1:2], kernel, layer.bias, padding=1)
    torch.testing.assert_close(layer(x)[1:2], y)


def test_starts_as_the_static_convolution() -> None:
    layer, x = FDConv2d(8, 6, 3, padding=1, groups=2).double(), image(8)
    weight = torch.randn(6, 4, 3, 3, dtype=torch.float64)
    layer.kernels.start_from(weight)
    torch.testing.assert_close(layer(x), F.conv2d(x, weight, layer.bias, padding=1, groups=2), rtol=1e-3, atol=1e-3)


def test_an_ordinary_weight_loads_as_a_spectrum() -> None:
    layer = FDConv2d(4, 6, 3, num_kernels=5)
    weight = torch.randn(6, 4, 3, 3)
    state = {**layer.state_dict(), "weight": weight}
    del state["kernels.spectrum"]
    load_published(layer, state, "Linwei-Chen/FDConv")
    ones = torch.ones(1, 5)
    torch.testing.assert_close(layer.kernels(ones, None, None, None, torch.zeros(1, 4, 3)).dense()[0], weight)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 5), (33, 16)])
def test_bands_are_what_fourier_transforms_give(size: tuple[int, int]) -> None:
    x, edges = image(4, size), (2, 3, 8)
    gates = torch.rand(3, 2, 4, *size, dtype=torch.float64)
    down, across = torch.fft.fftfreq(size[0]).abs()[:, None], torch.fft.rfftfreq(size[1])
    spectrum, last, expected = torch.fft.rfft2(x), x, torch.zeros_like(x)
    for j, edge in enumerate(edges):
        low = torch.fft.irfft2(spectrum * (torch.maximum(down, across) < 0.5 / edge + 1e-6), s=size)
        expected += gates[:, :, j].repeat_interleave(2, 1) * (last - low)
        last = low
    torch.testing.assert_close(modulate_bands(x, gates[:, :, :3], edges), expected + last)
    expected += gates[:, :, 3].repeat_interleave(2, 1) * last
    torch.testing.assert_close(modulate_bands(x, gates, edges), expected)


def test_published_bands_are_exact_at_64() -> None:
    x = image(2, (64, 64))
    gates = torch.rand(3, 1, 3, 64, 64, dtype=torch.float64)
    exact = modulate_bands(x, gates, (4, 8, 16))
    torch.testing.assert_close(modulate_bands(x, gates, (4, 8, 16), as_published=True), exact)


@pytest.mark.parametrize("as_published", [False, True])
def test_with_bands(as_published: bool) -> None:
    layer = moved(FDConv2d(4, 6, 3, stride=2, num_kernels=5, as_published=as_published))
    x = image().requires_grad_()
    y = layer(x)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()), fast_mode=True)
    torch.testing.assert_close(layer(x[[2, 0, 1]]), y[[2, 0, 1]])
    for batch in (0, 1):
        layer.train()(image()[:batch]).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


def test_bands_in_half_precision() -> None:
    layer, x = FDConv2d(4, 6, 3, num_kernels=5).eval(), image().float()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
        y.float().sum().backward()
    torch.testing.assert_close(y.float(), layer(x), rtol=0.1, atol=0.1)
    assert layer.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_exports_with_a_free_batch() -> None:
    layer = FDConv2d(4, 6, 3, num_kernels=5).eval()
    free = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(layer, (image().float(),), dynamic_shapes=free).module()
    x = image().float()[:2]
    torch.testing.assert_close(program(x), layer(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": (4, 2)}, r"bands=\(4, 2\): expected rising integers >= 2, or none"),
        ({"activation": "softmax"}, 'activation=\'softmax\': expected "sigmoid", "tanh" or, with kernels_only'),
        ({"local_activation": "relu"}, 'local_activation=\'relu\': expected "sigmoid" or "tanh"'),
        ({"band_activation": "relu"}, "band_activation='relu': expected"),
        ({"kept_frequencies": 0.0}, "kept_frequencies=0.0: expected a number above 0, at most 1"),
        ({"num_kernels": 0}, "num_kernels=0: expected an integer >= 1"),
        ({"band_groups": 3}, "band_groups=3: expected a divisor of in_channels=4"),
        ({"band_kernel": 2}, "band_kernel=2: expected an odd integer"),
        ({"norm": "group"}, 'norm=\'group\': expected "batch", "layer" or None'),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        FDConv2d(4, 6, 3, **options)


def test_bad_gates() -> None:
    x = image()
    with pytest.raises(ShapeError, match=r"gates=.*: expected \(3, G, 2 or 3, 7, 6\)"):
        modulate_bands(x, torch.ones(3, 1, 1, 7, 6), (2, 4))
    with pytest.raises(ShapeError, match="a number of groups that divides the 4 channels"):
        modulate_bands(x, torch.ones(3, 3, 2, 7, 6), (2, 4))


def test_extra_parameters() -> None:
    """R of the spectrum replaces the weight: 2·O·k·(⌊I·k/2⌋ + 1) numbers."""
    layer = FDConv2d(32, 64, 3, bias=False)
    hidden, width = 16, layer.local.width
    gates = 32 * hidden + 2 * hidden + 2 + sum((hidden + 1) * count for count in (64, 32, 64, 9))
    extra = gates + 64 * 9 * width + 2 * 32 + 3 * (9 * 32 + 1)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 64 * 3 * (32 * 3 // 2 + 1) + extra
    assert isinstance(layer.local.norm, nn.LayerNorm)
