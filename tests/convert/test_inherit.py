"""Layers started from static convolutions compute the same, and training tells their parts apart."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from support.layers import GEOMETRIES, Geometry
from torch import Tensor, nn

from dynaconv.convert import like, start_from
from dynaconv.errors import ArgumentError
from dynaconv.layers import BatchRenorm2d, DCDLinear, KernelWarehouseLinear, SamePadded
from dynaconv.layers.registry import CONVS

STATIC: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
# Every method that can express a static convolution, with options that change how.
EXACT: dict[str, tuple[str, dict[str, Any]]] = {
    "kernel_weighted": ("kernel_weighted", {}),
    "kernel_weighted, short vectors": ("kernel_weighted", {"embedding_dim": 1, "init": "published"}),
    "fc_generated": ("fc_generated", {"embedding_dim": 45, "hidden_dim": 42}),
    "condconv": ("condconv", {"num_kernels": 4}),
    "condconv, odd": ("condconv", {"num_kernels": 3}),
    "condconv, one": ("condconv", {"num_kernels": 1}),
    "dyconv": ("dyconv", {"temperature": 3.0}),
    "dyconv, as published": ("dyconv", {"num_kernels": 5, "as_published": True}),
    "odconv": ("odconv", {}),
    "odconv, one": ("odconv", {"num_kernels": 1, "norm": "layer"}),
    "odconv, scales of every expert": ("odconv", {"num_kernels": 3, "per_kernel": True, "temperature": 30.0}),
    "kernel_warehouse": ("kernel_warehouse", {}),
    "kernel_warehouse, 2x": ("kernel_warehouse", {"budget": 2, "cell_ratio": 0.5, "temperature": 0.3}),
    "kernel_warehouse, static": ("kernel_warehouse", {"temperature": 1.0, "norm": None}),
    "dcd": ("dcd", {}),
    "dcd, no norm": ("dcd", {"norm": None, "context_grid": 2}),
    "fdconv": ("fdconv", {"num_kernels": 5}),
    "fdconv, other gates": ("fdconv", {"num_kernels": 3, "gate_scale": 3.0, "spectra": 2, "local_activation": "tanh"}),
    "lgcf": ("lgcf", {}),
}
METHODS = pytest.mark.parametrize(("method", "options"), EXACT.values(), ids=EXACT)


def static_conv(geometry: Geometry) -> Any:
    g = geometry
    return STATIC[len(g.size)](g.in_channels, g.out_channels, g.kernel_size, **g.rest).double()


def started(method: str, options: dict[str, Any], conv: Any) -> tuple[Any, bool]:
    layer = like(conv, partial(CONVS[method][len(conv.kernel_size)], dtype=torch.float64), **options)
    return layer, start_from(layer, conv)


@METHODS
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_computes_the_same_in_both_modes(method: str, options: dict[str, Any], geometry: Geometry):
    if len(geometry.size) not in CONVS[method]:
        return
    conv = static_conv(geometry)
    layer, exact = started(method, options, conv)
    assert exact
    x = torch.randn(3, geometry.in_channels, *geometry.size, dtype=torch.float64) + 1
    torch.testing.assert_close(layer.eval()(x), conv(x))
    torch.testing.assert_close(layer.train()(x), conv(x))


@METHODS
def test_every_parameter_moves_within_three_steps(method: str, options: dict[str, Any]):
    conv = static_conv(GEOMETRIES["plain"])
    layer, _ = started(method, options, conv)
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    _train(layer, steps=3)
    # What scales a kernel at temperature one does not count yet.
    static = {"attention.fc1.weight", "attention.fc1.bias", "attention.fc2.weight", "attention.fc2.bias"}
    still = [n for n, p in layer.named_parameters() if torch.equal(p, before[n])]
    assert set(still) <= (static if options.get("temperature") == 1.0 else set())


@pytest.mark.parametrize("method", ["condconv", "dyconv", "odconv"])
def test_training_tells_experts_apart(method: str):
    layer, _ = started(method, {"num_kernels": 4}, static_conv(GEOMETRIES["plain"]))
    before = _distances(layer.bank)
    _train(layer, steps=1)
    between_pairs = [(0, 1), (0, 3), (1, 2), (2, 3)]
    assert all(abs(_distances(layer.bank)[pair] - before[pair]) > 1e-8 for pair in between_pairs)
    _train(layer, steps=1)
    off_diagonal = ~torch.eye(4, dtype=torch.bool)
    moved = (_distances(layer.bank) - before).abs()[off_diagonal]
    assert bool((moved > 1e-10).all())


@pytest.mark.parametrize("method", ["condconv", "dyconv", "odconv"])
def test_routers_learn_from_the_first_step(method: str):
    layer, _ = started(method, {"num_kernels": 2}, static_conv(GEOMETRIES["plain"]))
    router = {"condconv": "router.linear", "dyconv": "router.scores", "odconv": "attention.heads.mixture"}[method]
    weight = layer.get_submodule(router).weight
    _train(layer, steps=1, rate=0.0)
    assert float(weight.grad.abs().max()) > 0
    assert not torch.equal(weight.grad[0], weight.grad[1]) or method == "condconv"


def _distance(kernel: Tensor, conv: Any) -> float:
    """Relative, from a convolution's kernel."""
    return float((kernel - conv.weight).detach().norm() / conv.weight.detach().norm())


def _train(layer: nn.Module, steps: int, rate: float = 0.1) -> None:
    optimizer = torch.optim.SGD(layer.parameters(), lr=rate)
    x = torch.randn(6, 4, 7, 6, dtype=torch.float64) + torch.randn(6, 4, 1, 1, dtype=torch.float64)
    wanted = torch.randn(6, 8, 7, 6, dtype=torch.float64)
    for _ in range(steps):
        optimizer.zero_grad()
        (layer(x) - wanted).square().mean().backward()
        optimizer.step()


def _distances(bank: Tensor) -> Tensor:
    return torch.cdist(bank.detach().flatten(1), bank.detach().flatten(1), compute_mode="donot_use_mm_for_euclid_dist")


def test_fewer_cells_than_blocks_come_near():
    conv = nn.Conv2d(16, 16, 3, dtype=torch.float64)
    errors = []
    for budget in (1 / 4, 1 / 2):
        layer, exact = started("kernel_warehouse", {"budget": budget}, conv)
        assert not exact
        kernel = layer.eval().kernel(torch.randn(1, 16, 5, 5, dtype=torch.float64)).dense()[0]
        errors.append(_distance(kernel, conv))
        # Nothing of that rank is nearer.
        blocks = layer.kernel(torch.zeros(1, 16, 3, 3, dtype=torch.float64)).blocks_of(conv.weight.detach()[None])
        strengths = torch.linalg.svdvals(blocks)
        left = strengths[len(layer.attention.own) :].norm() / strengths.norm()
        assert errors[-1] == pytest.approx(float(left), rel=1e-6)
    assert errors[1] < errors[0] < 1


def test_generated_slices_are_the_nearest_of_their_rank():
    conv = nn.Conv2d(8, 8, 5, dtype=torch.float64)
    layer, exact = started("fc_generated", {"embedding_dim": 9}, conv)
    assert not exact
    kernel = layer.kernel(torch.randn(1, 8, 5, 5, dtype=torch.float64)).dense()[0]
    strengths = torch.linalg.svdvals(conv.weight.detach().flatten(2).flatten(0, 1))
    left = strengths[9:].norm() / strengths.norm()
    assert _distance(kernel, conv) == pytest.approx(float(left), rel=1e-6)


def test_attended_slices_are_fitted():
    conv = nn.Conv2d(8, 12, 3, dtype=torch.float64)
    layer, exact = started("dot_product", {"bank_size": 40}, conv)
    kernel = layer.eval().kernel(torch.randn(1, 8, 5, 5, dtype=torch.float64)).dense()[0]
    assert not exact
    assert _distance(kernel, conv) < 0.5


def test_involution_is_exact_where_every_channel_has_its_kernel():
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=6, dtype=torch.float64)
    x = torch.randn(2, 6, 8, 7, dtype=torch.float64)
    layer, exact = started("involution", {"group_channels": 1}, conv)
    assert exact
    torch.testing.assert_close(layer(x), conv(x))
    layer, exact = started("involution", {"group_channels": 3}, conv)
    assert not exact
    mean = conv.weight.detach().unflatten(0, (2, 3)).mean(1)
    torch.testing.assert_close(layer.taps.span.bias.detach(), mean.flatten())


@pytest.mark.parametrize("method", ["rfaconv", "rfcbamconv", "rfcaconv"])
@pytest.mark.parametrize("norm", ["batch", None])
def test_receptive_field_attention_is_exact_without_negative_values(method: str, norm: str | None):
    conv = nn.Conv2d(4, 6, 3, padding=1, stride=2, groups=2, dtype=torch.float64)
    layer, exact = started(method, {"norm": norm}, conv)
    assert not exact
    x = torch.rand(3, 4, 8, 7, dtype=torch.float64)
    torch.testing.assert_close(layer.eval()(x), conv(x))


@pytest.mark.parametrize("method", ["depthwise_separable", "spatially_separable"])
def test_separable_kernels_are_split_exactly_and_others_nearly(method: str):
    conv = nn.Conv2d(4, 6, 3, groups=2, dtype=torch.float64)
    layer, exact = started(method, {}, conv)
    assert not exact
    assert 0.05 < _distance(layer.dense(), conv) < 1
    if method == "depthwise_separable":
        conv.weight.data = torch.randn(6, 2, 1, 1).double() * torch.randn(1, 2, 3, 3).double().repeat(6, 1, 1, 1)
    else:
        conv = nn.Conv2d(4, 6, (3, 1), groups=2, dtype=torch.float64)
    layer, _ = started(method, {}, conv)
    x = torch.randn(2, 4, 7, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), conv(x))


@pytest.mark.parametrize("cls", [DCDLinear, KernelWarehouseLinear])
def test_linear_layers(cls: Any):
    linear = nn.Linear(12, 6, dtype=torch.float64)
    layer = cls(12, 6, dtype=torch.float64)
    assert start_from(layer, linear)
    x = torch.randn(5, 12, dtype=torch.float64)
    torch.testing.assert_close(layer(x), linear(x))


def test_what_wraps_a_layer_is_seen_through():
    conv = nn.Conv2d(4, 4, 3, stride=2, dtype=torch.float64)
    layer = SamePadded(like(conv, partial(CONVS["odconv"][2], dtype=torch.float64)))
    assert start_from(layer, conv)


def test_other_layers_are_refused():
    with pytest.raises(ArgumentError, match="BatchRenorm2d"):
        start_from(BatchRenorm2d(3), nn.Conv2d(3, 3, 1))
