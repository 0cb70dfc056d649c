"""CondConv, dynamic convolution and ODConv: their equations, counts, starts, and routing by blocks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv import explain, ops
from dynaconv.errors import ArgumentError
from dynaconv.layers import BlockRouter, CondConv2d, DyConv1d, DyConv2d, DyConv3d, ODConv2d, create_conv, route_blocks


def image(*shape: int) -> Tensor:
    return torch.randn(shape or (3, 6, 7, 5), dtype=torch.float64)


def stirred(layer: nn.Module) -> Any:
    """In float64 and evaluation, no parameter where it starts."""
    layer = layer.double().eval()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(torch.randn_like(p), alpha=0.3)
    return layer


def count(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


def test_condconv_equation() -> None:
    layer, x = stirred(CondConv2d(6, 4, 3, padding=1, num_kernels=3)), image()
    y = layer(x)
    for b in range(3):
        pi = torch.sigmoid(layer.router.linear.weight @ x[b].mean((1, 2)) + layer.router.linear.bias)
        weight = sum(p * w for p, w in zip(pi, layer.bank, strict=True))
        torch.testing.assert_close(y[b], F.conv2d(x[b], weight, pi @ layer.bias, padding=1))


def test_dynamic_convolution_equation() -> None:
    layer, x = stirred(DyConv2d(6, 4, 3, stride=2, num_kernels=3, reduction=2, temperature=3.0)), image()
    y = layer(x)
    for b in range(3):
        hidden = torch.relu(layer.router.hidden.weight @ x[b].mean((1, 2)))
        pi = torch.softmax(layer.router.scores.weight @ hidden / 3, 0)
        weight = sum(p * w for p, w in zip(pi, layer.bank, strict=True))
        torch.testing.assert_close(y[b], F.conv2d(x[b], weight, pi @ layer.bias, stride=2))
    torch.testing.assert_close(layer.coefficients(x)["mixture"].sum(1), torch.ones(3).double())


@pytest.mark.parametrize("per_kernel", [False, True])
def test_odconv_equation(per_kernel: bool) -> None:
    layer = stirred(ODConv2d(6, 4, 3, groups=2, num_kernels=3, temperature=2.0, per_kernel=per_kernel))
    x = image()
    y, attention = layer(x), layer.attention
    copies = 3 if per_kernel else 1
    for b in range(3):
        normed = F.batch_norm(
            (attention.hidden.weight @ x[b].mean((1, 2)))[None],
            attention.norm.running_mean,
            attention.norm.running_var,
            attention.norm.weight,
            attention.norm.bias,
        )
        score = {name: head(normed.relu())[0] / 2 for name, head in attention.heads.items()}
        inputs, outputs = (score[n].sigmoid().view(copies, -1) for n in ("in_scale", "out_scale"))
        taps = score["tap_scale"].sigmoid().view(copies, 3, 3)
        weight = torch.zeros(4, 3, 3, 3).double()
        for k, share in enumerate(score["mixture"].softmax(0)):
            i = k if per_kernel else 0
            for o in range(4):
                # The input channels of an output channel's group.
                group = inputs[i].view(2, 3)[o // 2].view(3, 1, 1)
                weight[o] += share * outputs[i, o] * group * taps[i] * layer.bank[k, o]
        torch.testing.assert_close(y[b], F.conv2d(x[b], weight, layer.bias, groups=2))


def test_counts_of_single_layers() -> None:
    """Counted in the authors' code."""
    counts = {
        299_453: ODConv2d(64, 128, 3, bias=False),
        4_669: ODConv2d(64, 64, 3, groups=64, bias=False),
        37_156: ODConv2d(64, 128, 1, bias=False),
        1_196_985: ODConv2d(256, 512, 3, bias=False, num_kernels=1),
        449_640: ODConv2d(320, 1280, 1, bias=False, num_kernels=1),
    }
    for expected, layer in counts.items():
        assert count(layer) == expected
    # K·|W| + K·O, then I·h + h·K, or I·K + K.
    assert count(DyConv2d(64, 128, 3)) == 4 * (128 * 64 * 9 + 128) + 64 * 16 + 16 * 4
    assert count(CondConv2d(64, 128, 3)) == 8 * (128 * 64 * 9 + 128) + 64 * 8 + 8


@pytest.mark.parametrize("name", ["condconv", "dyconv", "odconv"])
def test_scaled_start_has_a_static_convolutions_deviation(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 64, 8, 8)
    for kernels in (1, 2, 4, 16):
        layer = create_conv(name, 64, 64, 3, padding=1, bias=False, num_kernels=kernels, init="scaled")
        alone = create_conv(name, 64, 64, 3, bias=False, num_kernels=1, init="published").bank[0]
        ratio = float(layer(x).detach().std() / F.conv2d(x, alone.detach(), padding=1).std())
        assert ratio == pytest.approx(1, abs=0.15), (kernels, ratio)


def test_published_starts() -> None:
    torch.manual_seed(0)
    x, expected = torch.randn(64, 64, 8, 8), {"odconv": 0.085, "dyconv": 0.5, "condconv": 1.0}
    for name, share in expected.items():
        layer = create_conv(name, 64, 64, 3, padding=1, bias=False, num_kernels=4, init="published")
        ratio = layer(x).detach().std() / F.conv2d(x, layer.bank[0].detach(), padding=1).std()
        assert float(ratio) == pytest.approx(share, rel=0.3), name


def test_one_kernel_of_one_tap_costs_a_static_convolution() -> None:
    layer, x = ODConv2d(16, 32, 1, num_kernels=1).eval(), torch.randn(4, 16, 9, 9)
    assert set(layer.coefficients(x)) == {"mixture", "in_scale", "out_scale"}
    kernel = layer.kernel(x)
    assert kernel.macs(81) == 81 * 16 * 32
    assert "static" in explain(layer, x)
    torch.testing.assert_close(layer(x), ops.conv(x, kernel, layer.spec, "reference"), rtol=1e-4, atol=1e-5)


def test_as_published_attention_of_dynamic_convolution() -> None:
    for cls, bias in ((DyConv1d, 4), (DyConv2d, 4), (DyConv3d, 0)):
        layer = cls(8, 8, 1, bias=False, as_published=True)
        assert count(layer.router) == 8 * 3 + 3 * 4 + bias
    assert DyConv2d(3, 8, 1, num_kernels=5, as_published=True).router.hidden.out_features == 5


class Block(nn.Module):
    def __init__(self, router: BlockRouter) -> None:
        super().__init__()
        self.first = CondConv2d(6, 6, 3, padding=1, num_kernels=3, router=router)
        self.second = CondConv2d(6, 4, 1, num_kernels=3, router=router)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).relu())


def routed() -> nn.Module:
    router = BlockRouter(6, 3)
    return stirred(route_blocks(nn.Sequential(Block(router)), {"0": router}))


def test_a_block_routes_once_for_its_layers() -> None:
    model, x = routed(), image()
    block = model[0]
    mixture = block.router(x)
    hidden = ops.mixture_conv(x, block.first.bank, mixture, bias_bank=block.first.bias, padding=1).relu()
    expected = ops.mixture_conv(hidden, block.second.bank, mixture, bias_bank=block.second.bias)
    torch.testing.assert_close(model(x), expected)
    assert [name for name in model.state_dict() if "router" in name] == [
        "0.router.router.linear.weight",
        "0.router.router.linear.bias",
    ]


def test_a_copy_routes_for_itself_and_nothing_is_kept() -> None:
    model, x = routed(), image()
    expected = model(x)
    twin = copy.deepcopy(model)
    nn.init.zeros_(model[0].router.router.linear.weight)
    torch.testing.assert_close(twin(x), expected)
    assert not torch.allclose(model(x), expected)
    with pytest.raises(ArgumentError, match="one that has routed: run the layer inside its block"):
        model[0].first(x)


def test_routed_blocks_compile_and_export() -> None:
    model, x = routed().float(), image().float()
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="aot_eager")(x), model(x))
    with torch.no_grad():
        free = ({0: torch.export.Dim("batch", min=1, max=64)},)
        program = torch.export.export(model, (x,), dynamic_shapes=free).module()
        torch.testing.assert_close(program(x[:2]), model(x[:2]))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("odconv", {"num_kernels": 0}, "num_kernels=0: expected an integer >= 1"),
        ("odconv", {"reduction": 0}, "reduction=0: expected an integer >= 1"),
        ("odconv", {"norm": "group"}, 'norm=\'group\': expected "batch", "layer" or None'),
        ("dyconv", {"min_hidden": -1}, "min_hidden=-1: expected an integer >= 1"),
        ("dyconv", {"temperature": 0.0}, "temperature=0.0: expected a number > 0"),
        ("condconv", {"init": "zero"}, "init='zero': expected one of scaled, published"),
        ("condconv", {"router": BlockRouter(4, 3)}, "num_kernels=8: expected 3, as the router has it"),
    ],
)
def test_bad_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_conv(name, 4, 8, 3, **options)
