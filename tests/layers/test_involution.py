"""Involution: its equation written out, its counts, any geometry, and the authors' outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.made_up_weights import numbers, recorded
from torch import Tensor, nn

from dynaconv.context import centre_average
from dynaconv.convert.checkpoints import load_published
from dynaconv.errors import ArgumentError
from dynaconv.layers import Involution2d, create_conv
from dynaconv.spec import ConvSpec

FIXTURES = Path(__file__).parents[1] / "fixtures" / "involution"
AUTHORS: dict[str, dict[str, Any]] = {
    "involution_7": {"channels": 32, "kernel_size": 7, "padding": 3, "size": (5, 4)},
    "involution_3": {"channels": 16, "kernel_size": 3, "padding": 1, "size": (4, 7)},
    "involution_5_stride_2": {"channels": 32, "kernel_size": 5, "stride": 2, "padding": 2, "size": (8, 6)},
    "involution_3_stride_3": {"channels": 16, "kernel_size": 3, "stride": 3, "padding": 1, "size": (9, 6)},
}


@pytest.mark.parametrize("name", AUTHORS)
@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_authors_weights_give_the_authors_outputs(name: str, mode: str) -> None:
    options = dict(AUTHORS[name])
    channels, size = options.pop("channels"), options.pop("size")
    fixture, state = recorded(FIXTURES / f"{name}.safetensors")
    layer = load_published(Involution2d(channels, channels, bias=False, **options).double(), state, "d-li14/involution")
    x = numbers("x", (2, channels, *size)).requires_grad_()
    y = layer.train(mode == "training")(x)
    (gradient,) = torch.autograd.grad(y, x, numbers("upstream", tuple(y.shape)))
    suffix = "_training" if mode == "training" else ""
    torch.testing.assert_close(y, fixture[f"y{suffix}"], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, fixture[f"x_gradient{suffix}"], rtol=1e-9, atol=1e-9)
    if mode == "training":
        torch.testing.assert_close(layer.taps.norm.running_mean, fixture["after.conv1.bn.running_mean"])
        torch.testing.assert_close(layer.taps.norm.running_var, fixture["after.conv1.bn.running_var"])


def test_the_equation() -> None:
    layer, x = Involution2d(6, 6, 3, padding=1, group_channels=3).double().eval(), numbers("x", (1, 6, 5, 4))
    y = layer(x)
    generator, padded = layer.taps, nn.functional.pad(x, (1, 1, 1, 1))
    for row, column in ((0, 0), (4, 3), (2, 1)):
        pixel = generator.norm(generator.reduce(x[:, :, row : row + 1, column : column + 1])).relu()
        kernels = generator.span(pixel).reshape(2, 3, 3)
        for channel in range(6):
            window = padded[0, channel, row : row + 3, column : column + 3]
            expected = (kernels[channel // 3] * window).sum() + layer.bias[channel]
            torch.testing.assert_close(y[0, channel, row, column], expected)


@pytest.mark.parametrize(("channels", "count"), [(64, 4_388), (512, 268_064)])
def test_parameter_counts(channels: int, count: int) -> None:
    layer = Involution2d(channels, channels, 7, padding=3, bias=False)
    assert sum(p.numel() for p in layer.parameters()) == count


@pytest.mark.parametrize(("channels", "groups"), [(64, 4), (24, 2), (17, 17), (10, 1), (1, 1)])
def test_channels_are_shared_by_sixteen_or_the_next_divisor(channels: int, groups: int) -> None:
    assert Involution2d(channels, channels, 3).taps.shape == (groups, 9)


def centre_of_windows(x: Tensor, spec: ConvSpec) -> Tensor:
    """The averages, pixel by pixel."""
    found = x.new_zeros(*x.shape[:2], *spec.output_size(x.shape[2:]))
    for place in torch.cartesian_prod(*(torch.arange(n) for n in found.shape[2:])).reshape(-1, spec.dims).tolist():
        ranges = []
        geometry = zip(place, x.shape[2:], spec.kernel_size, spec.stride, spec.dilation, spec.pads, strict=True)
        for p, n, k, s, d, (before, _) in geometry:
            first = p * s - before + d * (k - 1) // 2
            ranges.append([i for i in range(first, first + s) if 0 <= i < n])
        if all(ranges):
            inside = x
            for axis, indices in enumerate(ranges, start=2):
                inside = inside.index_select(axis, torch.tensor(indices))
            found[(slice(None), slice(None), *place)] = inside.flatten(2).mean(2)
    return found


@pytest.mark.parametrize(
    "geometry",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3},
        {"kernel_size": (2, 5), "stride": (3, 2), "padding": (0, 4)},
        {"kernel_size": 3, "padding": 5, "stride": 2},
        {"kernel_size": 3, "dilation": 2, "stride": 2, "padding": 1},
        {"kernel_size": (4, 3), "padding": "same"},
    ],
    ids=str,
)
def test_context_of_every_geometry(geometry: dict[str, Any]) -> None:
    spec, x = ConvSpec.parse(3, 3, dims=2, **geometry), numbers("x", (2, 3, 9, 8))
    torch.testing.assert_close(centre_average(x, spec), centre_of_windows(x, spec))


def test_context_in_one_and_three_dimensions() -> None:
    for size in ((9,), (5, 4, 6)):
        spec = ConvSpec.parse(2, 2, 3, dims=len(size), stride=2, padding=1)
        x = numbers("x", (2, 2, *size))
        torch.testing.assert_close(centre_average(x, spec), centre_of_windows(x, spec))


def test_neither_pass_keeps_the_windows() -> None:
    layer, x = Involution2d(32, 32, 7, padding=3), torch.randn(2, 32, 20, 20)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        layer(x.requires_grad_())
    windows = x.numel() * 49
    assert max(kept) == windows // 16
    assert sum(kept) < windows / 3


def test_published_start_is_twice_the_input() -> None:
    x = torch.randn(32, 64, 12, 12)
    for init, scale in (("published", 2.0), ("scaled", 3**-0.5)):
        y = Involution2d(64, 64, 5, bias=False, init=init)(x)
        assert float(y.detach().std()) == pytest.approx(scale, rel=0.15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out_channels": 8}, "out_channels=8: expected in_channels=4"),
        ({"group_channels": 3}, "group_channels=3: expected a divisor of in_channels=4, or None"),
        ({"group_channels": 0}, "group_channels=0: expected an integer >= 1"),
        ({"reduction": 0}, "reduction=0: expected an integer >= 1"),
        ({"norm": "group"}, "norm='group': expected"),
        ({"init": "zero"}, "init='zero': expected one of scaled, published"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_conv("involution", **{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **options})
