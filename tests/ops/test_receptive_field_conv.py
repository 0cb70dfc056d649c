"""Convolutions on a field that is not written out: equal to plain formulas, in blocks of any size, and light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from dynaconv.ops.receptive_field import (
    PoolKind,
    amounts,
    field_pool,
    field_statistics,
    pool,
    weighted_field_conv,
    window_blocks,
)
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

GEOMETRIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "plain": (3, {"padding": 1}),
    "strided groups": ((3, 2), {"stride": 2, "padding": (1, 0), "groups": 2}),
    "dilated": (3, {"padding": 1, "dilation": (1, 2)}),
    "large": (5, {"padding": 2}),
    "one tap": (1, {}),
    "reflect": (3, {"padding": 1, "padding_mode": "reflect"}),
    "same": ((2, 3), {"padding": "same"}),
}
POOLS: dict[str, PoolKind] = {"channels": "channels", "lines": "lines"}
Call = Callable[..., Tensor]


@dataclass(frozen=True)
class Case:
    """An operator, what it should give, and its tensors."""

    found: Call
    expected: Call
    tensors: list[Tensor]


def field_of(x: Tensor, weight: Tensor, shift: Tensor | None, spec: ConvSpec) -> Tensor:
    made = static_conv(x, weight, shift, spec)
    field: Tensor = made.unflatten(1, (x.shape[1], *spec.kernel_size))
    return field


def case(name: str, geometry: str, batch: int = 3, dtype: torch.dtype = torch.float64) -> Case:
    torch.manual_seed(0)
    kernel_size, rest = GEOMETRIES[geometry]
    spec = ConvSpec.parse(4, 6, kernel_size, dims=2, **rest)
    of_field = replace(spec, out_channels=4 * spec.taps, groups=4)

    def made(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype, requires_grad=True)

    x, field_weight, shift = made(batch, 4, 7, 6), made(*of_field.weight_shape), made(4 * spec.taps)
    if name == "statistics":
        return Case(
            lambda x, w: torch.stack(field_statistics(x, w, of_field)),
            lambda x, w: torch.stack(
                torch.var_mean(field_of(x, w, None, of_field).flatten(1, 3), (0, 2, 3), correction=0)[::-1]
            ),
            [x, field_weight],
        )
    if name in POOLS:
        kind = POOLS[name]
        return Case(
            lambda x, w, s: field_pool(x, w, s, of_field, kind),
            lambda x, w, s: pool(field_of(x, w, s, of_field).relu(), kind),
            [x, field_weight, shift],
        )
    (height, width), size, softmax = spec.kernel_size, spec.output_size((7, 6)), name == "softmax"
    left, right = {
        "softmax": ((1, 4, height, width, 1, 1), (batch, 4, 1, 1, *size)),
        "gates": ((batch, 4, 1, 1, 1, 1), (batch, 1, height, width, *size)),
        "coordinates": ((batch, 4, height, 1, size[0], 1), (batch, 4, 1, width, 1, size[1])),
    }[name]

    def found(x: Tensor, w: Tensor, s: Tensor, a: Tensor, b: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return weighted_field_conv(x, w, s, (a, b), weight, bias, spec, softmax=softmax)

    def expected(x: Tensor, w: Tensor, s: Tensor, a: Tensor, b: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        weighted = field_of(x, w, s, of_field).relu().flatten(2, 3) * amounts(a, b, softmax=softmax)
        on_field = ConvSpec.parse(4 * spec.taps, 6, 1, dims=2, groups=spec.groups)
        return static_conv(weighted.flatten(1, 2), weight.reshape(on_field.weight_shape), bias, on_field)

    return Case(found, expected, [x, field_weight, shift, made(*left), made(*right), made(*spec.weight_shape), made(6)])


OPERATORS = ("statistics", "channels", "lines", "softmax", "gates", "coordinates")


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(("batch", "numbers"), [(1, 2**20), (3, 1), (5, 4 * 25 * 42 * 2)])
def test_equals_the_plain_form(
    name: str, geometry: str, batch: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One sample a block; or blocks of two, or more, of which the last is smaller.
    monkeypatch.setattr(window_blocks, "_BLOCK_NUMBERS", numbers)
    given = case(name, geometry, batch)
    y, expected = given.found(*given.tensors), given.expected(*given.tensors)
    torch.testing.assert_close(y, expected)
    upstream = torch.randn_like(expected)
    theirs = torch.autograd.grad(expected, given.tensors, upstream)
    for ours, other in zip(torch.autograd.grad(y, given.tensors, upstream), theirs, strict=True):
        torch.testing.assert_close(ours, other)


@pytest.mark.parametrize("name", OPERATORS)
def test_float32(name: str) -> None:
    single = case(name, "plain", dtype=torch.float32)
    double = [tensor.detach().double().requires_grad_() for tensor in single.tensors]
    y, expected = single.found(*single.tensors), single.expected(*double)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-4)
    upstream = torch.randn_like(expected)
    theirs = torch.autograd.grad(expected, double, upstream)
    for ours, other in zip(torch.autograd.grad(y, single.tensors, upstream.float()), theirs, strict=True):
        torch.testing.assert_close(ours.double(), other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("geometry", ["plain", "strided groups"])
def test_first_and_second_derivatives(name: str, geometry: str) -> None:
    given = case(name, geometry)
    assert torch.autograd.gradcheck(given.found, given.tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(given.found, given.tensors, fast_mode=True)


@pytest.mark.parametrize("name", OPERATORS)
def test_only_wanted_gradients(name: str) -> None:
    given = case(name, "plain")
    full = torch.autograd.grad(given.found(*given.tensors).sum(), given.tensors)
    for i, expected in enumerate(full):
        alone = [tensor.detach().requires_grad_(i == j) for j, tensor in enumerate(given.tensors)]
        given.found(*alone).sum().backward()
        torch.testing.assert_close(alone[i].grad, expected)


@pytest.mark.parametrize("name", OPERATORS)
def test_nothing_the_size_of_the_field_stays_alive(name: str) -> None:
    given = case(name, "plain", batch=8)
    saved: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        given.found(*given.tensors)
    assert max(saved) <= 8 * 9 * 7 * 6 < 8 * 4 * 9 * 7 * 6


@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "statistics"])
def test_no_samples(name: str) -> None:
    given = case(name, "plain", batch=0)
    y = given.found(*given.tensors)
    assert y.shape == given.expected(*given.tensors).shape
    for gradient in torch.autograd.grad(y.sum(), given.tensors):
        assert not gradient.any()


def test_a_large_mean_costs_the_variance_no_digits() -> None:
    given = case("statistics", "one tap", dtype=torch.float32)
    x, weight = (tensor.detach() for tensor in given.tensors)
    _, variance = given.found(x + 1000, weight)
    _, expected = given.expected((x + 1000).double(), weight.double())
    torch.testing.assert_close(variance.double(), expected, rtol=1e-3, atol=0)


def test_equal_extremes_share_their_gradient() -> None:
    spec = ConvSpec.parse(3, 3, 1, dims=2, groups=3)
    x, weight = torch.ones(1, 3, 1, 1, requires_grad=True), torch.tensor([2.0, 1.0, 2.0]).reshape(3, 1, 1, 1)
    greatest = field_pool(x, weight, torch.zeros(3), spec, "channels")[:, 0]
    greatest.sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [1.0, 0.0, 1.0]
