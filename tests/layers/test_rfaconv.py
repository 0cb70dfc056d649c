"""Receptive-field attention: its re-arrangement written out, its counts, and the authors' outputs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.made_up_weights import numbers, recorded
from torch import Tensor, nn

from dynaconv import explain, ops
from dynaconv.coefficients import BranchNorm
from dynaconv.convert.checkpoints import load_published
from dynaconv.errors import ArgumentError, CheckpointError
from dynaconv.layers import DynamicConv, RFAConv2d, RFCAConv2d, RFCBAMConv2d, create_conv
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rfaconv"
LAYERS = {"rfa": RFAConv2d, "rfcbam": RFCBAMConv2d, "rfca": RFCAConv2d}
GEOMETRIES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "": ((6, 5, 3, 1, 1), (2, 6, 5, 4)),
    "_stride_2": ((4, 6, 3, 2, 1), (2, 4, 7, 6)),
    "_5": ((3, 4, 5, 1, 2), (2, 3, 4, 6)),
    "_dilation_2": ((4, 4, 3, 1, 1, 2), (2, 4, 6, 7)),
}
RECORDED = [(m, g) for m in LAYERS for g in GEOMETRIES if g != "_dilation_2" or m == "rfcbam"]


@pytest.mark.parametrize(("method", "geometry"), RECORDED)
@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_authors_weights_give_the_authors_outputs(method: str, geometry: str, mode: str) -> None:
    arguments, shape = GEOMETRIES[geometry]
    fixture, state = recorded(FIXTURES / f"{method}{geometry}.safetensors")
    layer = load_published(LAYERS[method](*arguments).double(), state, "Liuchen1997/RFAConv")
    x = numbers("x", shape).requires_grad_()
    y = layer.train(mode == "training")(x)
    (gradient,) = torch.autograd.grad(y, x, numbers("upstream", tuple(y.shape)))
    suffix = "_training" if mode == "training" else ""
    torch.testing.assert_close(y, fixture[f"y{suffix}"], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, fixture[f"x_gradient{suffix}"], rtol=1e-9, atol=1e-9)
    if mode == "training":
        field = "generate_feature" if method == "rfa" else "generate"
        torch.testing.assert_close(layer.field_norm.running_var, fixture[f"after.{field}.1.running_var"])


def rearranged(layer: ReceptiveFieldConv2d, x: Tensor) -> Tensor:
    """As published: the weighted features of a position side by side, then a convolution with the kernel's stride."""
    height, width = layer.spec.kernel_size
    weighted = layer.field(x) * layer.coefficients(x)["taps"]
    side_by_side = weighted.unflatten(2, (height, width)).permute(0, 1, 4, 2, 5, 3)
    batch, channels, rows, _, columns, _ = side_by_side.shape
    laid_out = side_by_side.reshape(batch, channels, rows * height, columns * width)
    return F.conv2d(laid_out, layer.weight, layer.bias, stride=(height, width), groups=layer.spec.groups)


@pytest.mark.parametrize("method", LAYERS)
def test_nothing_needs_to_be_rearranged(method: str) -> None:
    layer = LAYERS[method](4, 6, (3, 2), 2, (1, 0), groups=2).double().eval()
    x = numbers("x", (3, 4, 8, 7))
    torch.testing.assert_close(layer(x), rearranged(layer, x))


def test_attention_of_rfa_is_a_softmax_over_the_taps_of_the_average_under_the_kernel() -> None:
    layer, x = RFAConv2d(4, 6, 3, 2, 1).double().eval(), numbers("x", (2, 4, 7, 6))
    amounts = layer.coefficients(x)["taps"]
    scores = F.avg_pool2d(x, 3, 2, 1).unsqueeze(2) * layer.attention.weight[..., None, None]
    torch.testing.assert_close(amounts, scores.softmax(2))


def test_channel_gates_of_rfcbam_see_the_input() -> None:
    layer, x = RFCBAMConv2d(4, 6, 3, padding=1).double().eval(), numbers("x", (2, 4, 7, 6))
    amounts = layer.coefficients(x)["taps"]
    hidden = x.mean((2, 3)) @ layer.attention.fc1.weight.T
    gates = (hidden.relu() @ layer.attention.fc2.weight.T).sigmoid()
    torch.testing.assert_close(
        amounts / amounts[:, :1], (gates / gates[:, :1])[..., None, None, None].expand_as(amounts)
    )


@pytest.mark.parametrize(("method", "per_channel", "rest"), [("rfa", 108, 0), ("rfcbam", 131, 18)])
def test_parameters_beyond_a_static_convolutions(method: str, per_channel: int, rest: int) -> None:
    layer = LAYERS[method](64, 128, 3)
    assert sum(p.numel() for p in layer.parameters()) == 64 * 128 * 9 + per_channel * 64 + rest + 128


@pytest.mark.parametrize("method", LAYERS)
def test_one_sample_of_one_position_trains(method: str) -> None:
    layer = LAYERS[method](4, 6, 3).train()
    layer(torch.randn(1, 4, 3, 3)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("method", LAYERS)
def test_the_published_start_has_other_scales(method: str) -> None:
    published, scaled = (LAYERS[method](16, 16, 3, padding=1, init=init) for init in ("published", "scaled"))
    fan_out = 16 * 9
    assert float(published.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)
    assert float(scaled.weight.detach().std()) > 2 * float(published.weight.detach().std()) / 3
    static = nn.Conv2d(16, 16, 3, padding=1)
    x = torch.randn(16, 16, 12, 12)
    assert 0.4 < float((scaled(x).std() / static(x).std()).detach()) < 2.5


def test_the_kernel_lies_on_the_field() -> None:
    layer, x = RFAConv2d(4, 6, 3, padding=1).eval(), torch.randn(2, 4, 7, 6)
    field, kernel, spec = layer.operands(x)
    assert field.shape == (2, 4 * 9, 7, 6)
    assert kernel.dense().shape == (2, 6, 4 * 9, 1, 1, 7, 6)
    torch.testing.assert_close(ops.conv(field, kernel, spec), layer(x))
    assert "tapwise_conv: x 2×36×7×6, 36→6, kernel 1×1" in explain(layer, x)


@pytest.mark.parametrize("method", LAYERS)
@pytest.mark.parametrize("norm", ["batch", None])
@pytest.mark.parametrize(("mode", "momentum"), [("training", 0.1), ("training", None), ("evaluation", 0.1)])
def test_without_the_field_nothing_is_different(
    method: str, norm: BranchNorm, mode: str, momentum: float | None
) -> None:
    layer = LAYERS[method](4, 6, 3, 2, 1, norm=norm).double().train(mode == "training")
    if norm is not None:
        layer.field_norm.momentum = momentum
        layer.field_norm.running_mean.normal_()
        nn.init.normal_(layer.field_norm.weight)
    plain, x = copy.deepcopy(layer), numbers("x", (3, 4, 9, 7)).requires_grad_()
    for _ in range(2):
        y, expected = layer(x), DynamicConv.convolve(plain, x)
    torch.testing.assert_close(y, expected)
    upstream = numbers("upstream", tuple(y.shape))
    ours = torch.autograd.grad(y, [x, *layer.parameters()], upstream)
    for found, wanted in zip(ours, torch.autograd.grad(expected, [x, *plain.parameters()], upstream), strict=True):
        torch.testing.assert_close(found, wanted)
    for (name, found), wanted in zip(layer.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(found, wanted, msg=name)


@pytest.mark.parametrize("method", LAYERS)
def test_a_compiled_training_step(method: str) -> None:
    layer, x = LAYERS[method](4, 6, 3, padding=1).train(), torch.randn(3, 4, 6, 5)
    plain = copy.deepcopy(layer)
    torch.compiler.reset()
    step: Callable[[Tensor], Tensor] = torch.compile(layer, fullgraph=True, backend="aot_eager")
    step(x).square().sum().backward()
    plain(x).square().sum().backward()
    for found, wanted in zip(layer.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.field_norm.running_var, plain.field_norm.running_var)


@pytest.mark.parametrize("method", LAYERS)
def test_nothing_the_size_of_the_field_is_kept_for_the_backward_pass(method: str) -> None:
    layer, x = LAYERS[method](8, 8, 3, padding=1).train(), torch.randn(4, 8, 12, 12)
    saved: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)
    assert max(saved) < 9 * x.numel() / 2


def test_other_forms_of_their_layers_are_refused() -> None:
    _, state = recorded(FIXTURES / "rfa.safetensors")
    with pytest.raises(CheckpointError, match=r"2 unexpected: conv\.1\.weight, conv\.1\.bias"):
        load_published(
            RFAConv2d(6, 5, 3, padding=1).double(),
            {**state, "conv.1.weight": torch.ones(5), "conv.1.bias": torch.zeros(5)},
            "Liuchen1997/RFAConv",
        )


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("rfaconv", {"norm": "group"}, "norm='group': expected"),
        ("rfaconv", {"init": "zero"}, "init='zero': expected one of scaled, published"),
        ("rfcbamconv", {"hidden_dim": 0}, "hidden_dim=0: expected an integer >= 1"),
        ("rfcaconv", {"reduction": 0}, "reduction=0: expected an integer >= 1"),
        ("rfcaconv", {"min_hidden": 0}, "min_hidden=0: expected an integer >= 1"),
    ],
)
def test_bad_options(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_conv(method, 4, 8, 3, **options)
