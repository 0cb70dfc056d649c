"""The three seed layers: their equations, memory and published form; the common suite has the rest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels import blocks
from dynaconv.layers import (
    DotProductConv2d,
    DynamicConv,
    FCGeneratedConv2d,
    KernelWeightedConv2d,
    create_conv,
)

SEEDS = ["kernel_weighted", "fc_generated", "dot_product"]
SMALL: dict[str, dict[str, Any]] = {
    "fc_generated": {"hidden_dim": 7},
    "dot_product": {"bank_size": 6, "embedding_dim": 5},
}


def make(method: str, in_channels: int = 4, out_channels: int = 8, kernel_size: Any = 3, **options: Any) -> DynamicConv:
    torch.manual_seed(1)
    layer = create_conv(method, in_channels, out_channels, kernel_size, **{**SMALL.get(method, {}), **options})
    assert isinstance(layer, DynamicConv)
    if isinstance(layer, KernelWeightedConv2d):
        # The slice vectors start at zero, where every gate is one half and nothing is tested.
        nn.init.normal_(layer.gate.embedding)
    return layer.double()


def image(batch: int = 3, channels: int = 4) -> Tensor:
    return torch.randn(batch, channels, 7, 6, dtype=torch.float64)


def test_kernel_weighted_equation() -> None:
    layer, x = make("kernel_weighted"), image()
    assert isinstance(layer, KernelWeightedConv2d)
    weight = layer.kernel(x).dense()
    g = x.mean((2, 3))
    for b, o, i in ((0, 0, 0), (2, 7, 3), (1, 4, 2)):
        gate = torch.sigmoid(layer.gate.embedding[o, i] @ layer.gate.fc(g[b]))
        torch.testing.assert_close(weight[b, o, i], gate * layer.weight[o, i])


def test_kernel_weighted_published_start() -> None:
    layer = KernelWeightedConv2d(4, 8, 3, init="published")
    assert (layer.coefficients(image().float())["slice_gate"] == 0.5).all()
    layer(image().float()).sum().backward()
    assert layer.gate.fc.weight.grad is not None
    assert not layer.gate.fc.weight.grad.any()


def test_fc_generated_equation() -> None:
    layer, x = make("fc_generated", context_channels=3), image()
    assert isinstance(layer, FCGeneratedConv2d)
    weight = layer.kernel(x).dense()
    g = x.mean((2, 3))[:, :3]
    fc_gate = nn.Linear(9 + 3, 7).double()
    with torch.no_grad():
        fc_gate.weight.copy_(torch.cat([layer.slices.fc_gate.weight, layer.context_gate.weight], dim=1))
        fc_gate.bias.copy_(layer.context_gate.bias)
    for b, o, i in ((0, 0, 0), (2, 7, 3), (1, 4, 2)):
        e = layer.slices.embedding[o, i]
        hidden = layer.slices.fc1(e) * torch.sigmoid(fc_gate(torch.cat([e, g[b]])))
        torch.testing.assert_close(weight[b, o, i], layer.slices.fc_out(hidden).reshape(3, 3))


def test_dot_product_equation() -> None:
    layer, x = make("dot_product", temperature=2.5).eval(), image()
    assert isinstance(layer, DotProductConv2d)
    weight = layer.kernel(x).dense()
    g = layer.fc(x.mean((2, 3)))
    slices = layer.slices
    for b, o, i in ((0, 0, 0), (2, 7, 3), (1, 4, 2)):
        query = slices.out_vectors[o] * slices.in_vectors[i] * g[b]
        attention = torch.softmax(query @ slices.keys / (5**0.5 * 2.5), dim=0)
        expected = sum(a * s for a, s in zip(attention, slices.bank, strict=True))
        torch.testing.assert_close(weight[b, o, i], expected)


def test_temperature_is_saved() -> None:
    hot, cold = make("dot_product", temperature=30.0), make("dot_product")
    cold.load_state_dict(hot.state_dict())
    assert cold.temperature.value.item() == 30.0


@pytest.mark.parametrize("method", ["fc_generated", "dot_product"])
def test_blocks_change_nothing(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = make(method).eval(), image().requires_grad_()
    leaves = [x, *layer.parameters()]
    whole = torch.autograd.grad(layer(x).square().sum(), leaves)
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    for ours, theirs in zip(torch.autograd.grad(layer(x).square().sum(), leaves), whole, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("method", ["fc_generated", "dot_product"])
def test_nothing_of_size_slices_times_bank_is_kept(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    batch, slices, bank = 16, 4 * 8, 50
    options = {"hidden_dim": bank} if method == "fc_generated" else {"bank_size": bank, "embedding_dim": 5}
    layer, saved = make(method, **options), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(image(batch))
    assert max(saved) < batch * slices * bank


@pytest.mark.parametrize("method", SEEDS)
def test_context_channels(method: str) -> None:
    layer, x = make(method, context_channels=2).eval(), image()
    changed = x.clone()
    changed[:, 2:] += 1
    torch.testing.assert_close(layer.kernel(changed).dense(), layer.kernel(x).dense())
    changed[:, :2] += 1
    assert not torch.allclose(layer.kernel(changed).dense(), layer.kernel(x).dense())


@pytest.mark.parametrize("method", SEEDS)
def test_as_published_averages_the_left_window(method: str) -> None:
    published, x = make(method, as_published=True).eval(), torch.randn(2, 4, 5, 8).double()
    ours = make(method).eval()
    torch.testing.assert_close(published.coefficients(x), ours.coefficients(x[..., :5]))
    with pytest.raises(ShapeError, match=r"x=\(2, 4, 8, 5\): expected a map at least as wide as high"):
        published(x.transpose(2, 3))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("kernel_weighted", {"in_channels": 0}, "in_channels=0: expected an integer >= 1"),
        ("kernel_weighted", {"stride": -1}, "stride=-1: expected an integer >= 1"),
        ("kernel_weighted", {"embedding_dim": 0}, "embedding_dim=0: expected an integer >= 1"),
        ("kernel_weighted", {"context_channels": 5}, "context_channels=5: expected an integer from 1 to in_channels=4"),
        ("kernel_weighted", {"init": "best"}, "init='best': expected one of scaled, published"),
        ("fc_generated", {"hidden_dim": -3}, "hidden_dim=-3: expected an integer >= 1"),
        ("fc_generated", {"groups": 3}, "groups=3: expected a divisor of in_channels=4"),
        ("dot_product", {"temperature": float("nan")}, "temperature=nan: expected a finite number"),
        ("dot_product", {"temperature": 0}, "temperature=0: expected a number > 0"),
        ("dot_product", {"dropout": 1.0}, "dropout=1.0: expected a number from 0 up to"),
        ("dot_product", {"bank_size": 0}, "bank_size=0: expected an integer >= 1"),
        (
            "dot_product",
            {"magic": 1},
            "magic=1: expected only options that 'dot_product' has: .*bank_size",
        ),
        ("static", {"bank_size": 1}, "bank_size=1: expected only options that 'static' has"),
        ("odd", {}, "name='odd': expected one of static, kernel_weighted"),
    ],
)
def test_bad_arguments(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_conv(method, **{"in_channels": 4, "out_channels": 8, "kernel_size": 3, **options})


def test_static_is_torchs_own() -> None:
    conv = create_conv("static", 4, 8, 3, padding=1)
    assert type(conv) is nn.Conv2d


def test_parameter_counts_of_single_layers() -> None:
    counts = {
        296_073: KernelWeightedConv2d(128, 128, 3, bias=False),
        14_053: FCGeneratedConv2d(128, 128, 3, groups=16),
        35_550: DotProductConv2d(100, 100, 3, bias=False, bank_size=50, embedding_dim=100),
    }
    for count, layer in counts.items():
        assert sum(p.numel() for p in layer.parameters()) == count


@pytest.mark.parametrize("method", SEEDS)
def test_repr_names_the_geometry(method: str) -> None:
    text = repr(make(method, stride=2, padding=1, groups=2, bias=False))
    assert "4, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), groups=2, bias=False" in text
