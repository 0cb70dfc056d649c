"""Separable convolutions: equal to one dense kernel, split exactly where that is possible, best where it is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv import create_conv
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers import DepthwiseSeparableConv2d, SpatiallySeparableConv2d
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

METHODS = ("depthwise_separable", "spatially_separable")
GEOMETRIES: dict[str, dict[str, Any]] = {
    "plain": {"kernel_size": 3},
    "not square": {"kernel_size": (3, 2), "padding": (1, 0)},
    "strided": {"kernel_size": 3, "stride": (2, 1), "padding": 1, "bias": False},
    "dilated": {"kernel_size": (2, 3), "dilation": (1, 2), "padding": 2},
    "groups": {"kernel_size": 3, "groups": 2, "padding": 1},
    "same": {"kernel_size": (2, 4), "padding": "same"},
    "reflect": {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
    "circular": {"kernel_size": (1, 3), "padding": (0, 1), "padding_mode": "circular"},
}


def image(batch: int = 2) -> Tensor:
    return torch.randn(batch, 4, 7, 6, dtype=torch.float64)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_equals_its_dense_kernel(method: str, geometry: dict[str, Any]) -> None:
    layer: Any = create_conv(method, 4, 6, **geometry).double()
    last = layer.pointwise if method == "depthwise_separable" else layer.horizontal
    spec = ConvSpec.parse(4, 6, dims=2, **{k: v for k, v in geometry.items() if k != "bias"})
    x = image()
    torch.testing.assert_close(layer(x), static_conv(x, layer.dense(), last.bias, spec))
    assert layer(x[:0]).shape == (0, *layer(x).shape[1:])


@pytest.mark.parametrize(("dims", "size"), [(1, (9,)), (3, (4, 5, 3))])
def test_depthwise_separable_in_other_dimensions(dims: int, size: tuple[int, ...]) -> None:
    layer: Any = create_conv("depthwise_separable", 4, 6, 3, padding=1, dims=dims).double()
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    spec = ConvSpec.parse(4, 6, 3, dims=dims, padding=1)
    torch.testing.assert_close(layer(x), static_conv(x, layer.dense(), layer.pointwise.bias, spec))


def test_weights() -> None:
    separable = DepthwiseSeparableConv2d(64, 128, 3, bias=False)
    assert sum(p.numel() for p in separable.parameters()) == 64 * 9 + 64 * 128
    square = SpatiallySeparableConv2d(64, 64, 5, bias=False)
    assert 5 * sum(p.numel() for p in square.parameters()) == 2 * nn.Conv2d(64, 64, 5, bias=False).weight.numel()


def conv_with(weight: Tensor, **options: Any) -> nn.Conv2d:
    out_channels, in_per_group, *size = weight.shape
    in_channels = in_per_group * options.get("groups", 1)
    conv = nn.Conv2d(in_channels, out_channels, size, dtype=weight.dtype, **options)  # type: ignore[arg-type]  # two
    conv.weight.data.copy_(weight)
    return conv


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"groups": 2, "stride": 2}, {"padding": "same", "padding_mode": "reflect"}])
def test_rank_one_slices_are_split_exactly(options: dict[str, Any], dtype: torch.dtype) -> None:
    columns, rows = torch.randn(6, 4 // options.get("groups", 1), 3, 1, dtype=dtype), torch.randn(6, 1, 1, 5).to(dtype)
    conv = conv_with(columns * rows, **options)
    split = SpatiallySeparableConv2d.from_conv(conv)
    x = image().to(dtype)
    torch.testing.assert_close(split(x), conv(x), rtol=1e-4 if dtype == torch.float32 else 1e-7, atol=1e-5)
    assert split.relative_error(conv) < 20 * torch.finfo(dtype).eps
    every_slice_its_own = conv_with(torch.randn(6, 2, 3, 1) * torch.randn(6, 2, 1, 3))
    assert SpatiallySeparableConv2d.from_conv(every_slice_its_own).relative_error(every_slice_its_own) < 1e-5


def test_an_exact_split_takes_no_more_channels_than_it_needs() -> None:
    blur = torch.tensor([1.0, 2.0, 1.0])
    shared = conv_with(torch.randn(6, 4, 1, 1) * blur.outer(blur))
    assert SpatiallySeparableConv2d.from_conv(shared).vertical.out_channels == 4
    depthwise = conv_with(torch.randn(8, 1, 3, 1) * torch.randn(8, 1, 1, 3), groups=8)
    assert SpatiallySeparableConv2d.from_conv(depthwise).vertical.out_channels == 8
    nothing = conv_with(torch.zeros(2, 3, 3, 3))
    split = SpatiallySeparableConv2d.from_conv(nothing)
    assert split.vertical.out_channels == 1
    assert split.relative_error(nothing) == 0


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("middle", [2, 4, 6])
def test_other_kernels_are_approximated_best(middle: int, groups: int) -> None:
    conv = conv_with(torch.randn(6, 4 // groups, 3, 3, dtype=torch.float64), groups=groups)
    split = SpatiallySeparableConv2d.from_conv(conv, middle)
    squares = 0.0
    for group in conv.weight.detach().chunk(groups):
        # What no decomposition of so many parts can reach: the smaller singular values.
        strengths = torch.linalg.svdvals(group.permute(0, 3, 1, 2).reshape(group.shape[0] * 3, -1))
        squares += float(strengths[middle // groups :].square().sum())
    expected = squares**0.5 / float(conv.weight.detach().norm())
    assert split.relative_error(conv) == pytest.approx(expected)
    assert SpatiallySeparableConv2d.from_conv(conv).vertical.out_channels == 6
    torch.manual_seed(1)
    for parameter in (split.vertical.weight, split.horizontal.weight):
        nudged = copy.deepcopy(split)
        for mine, theirs in zip(nudged.parameters(), split.parameters(), strict=True):
            mine.data += 1e-3 * torch.randn_like(parameter) if theirs is parameter else 0
        assert nudged.relative_error(conv) > expected


def test_more_channels_than_ranks_change_nothing() -> None:
    conv = conv_with(torch.randn(2, 1, 3, 3, dtype=torch.float64))
    split, x = SpatiallySeparableConv2d.from_conv(conv, 50), image()[:, :1]
    torch.testing.assert_close(split(x), conv(x))


def test_a_split_keeps_type_mode_and_bias() -> None:
    conv = nn.Conv2d(4, 6, 3, bias=False).bfloat16().eval()
    split = SpatiallySeparableConv2d.from_conv(conv)
    assert split.vertical.weight.dtype == torch.bfloat16
    assert not split.training
    assert split.horizontal.bias is None


def test_a_known_edge_filter() -> None:
    edge = torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 0.0, -1.0]))
    conv = conv_with(edge.expand(1, 1, 3, 3), bias=False)
    split = SpatiallySeparableConv2d.from_conv(conv)
    x = torch.randn(1, 1, 6, 6)
    torch.testing.assert_close(split(x), F.conv2d(x, edge[None, None]), rtol=1e-4, atol=1e-5)


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="mid_channels=3: expected a multiple of groups=2"):
        SpatiallySeparableConv2d(4, 6, 3, groups=2, mid_channels=3)
    with pytest.raises(ArgumentError, match=r"conv='Linear': expected an nn\.Conv2d"):
        SpatiallySeparableConv2d.from_conv(nn.Linear(2, 2))  # type: ignore[arg-type]
    for method in METHODS:
        with pytest.raises(ArgumentError, match="stride=0: expected an integer >= 1"):
            create_conv(method, 4, 6, 3, stride=0)
        with pytest.raises(ShapeError, match=r"x=\(2, 3, 7, 6\): expected \(B, 4, H, W\)"):
            create_conv(method, 4, 6, 3)(image()[:, :3].float())
