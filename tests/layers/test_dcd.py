"""DCD: its equations written out, its sizes, and the authors' numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.made_up_weights import numbers, recorded
from torch import Tensor, nn
from torch.nn import functional as F

from dynaconv import ops
from dynaconv.convert.checkpoints import load_published
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers import DCDConv1d, DCDConv2d, DCDLinear, explain

FIXTURES = Path(__file__).parents[1] / "fixtures" / "dcd"
AUTHORS: dict[str, nn.Module] = {
    "bottleneck_1x1": DCDConv2d(32, 16, 1, bias=False, min_hidden=1),
    "bottleneck_3x3_stride_2": DCDConv2d(16, 16, 3, 2, 1, bias=False, min_hidden=1),
    "basic": DCDConv2d(8, 12, 3, 1, 1, bias=False, context_grid=2),
    "basic_stride_2": DCDConv2d(6, 8, 3, 2, 1, bias=False, context_grid=2),
    "mobile_expand": DCDConv2d(8, 48, 1, bias=False, context_grid=2, rank=4),
    "mobile_project": DCDConv2d(48, 8, 1, bias=False, rank=4, reduction=8),
    "classifier": DCDLinear(24, 10),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_layers_are_the_authors(name: str) -> None:
    fixture, state = recorded(FIXTURES / f"{name}.safetensors")
    layer = load_published(AUTHORS[name].double(), state, "liyunsheng13/dcd")
    x = numbers("x", tuple(fixture["x_gradient"].shape)).requires_grad_()
    for mode, suffix in ((False, ""), (True, "_training")):
        y = layer.train(mode)(x)
        torch.testing.assert_close(y, fixture[f"y{suffix}"], rtol=1e-12, atol=1e-12)
        (gradient,) = torch.autograd.grad(y, x, numbers("upstream", tuple(y.shape)))
        torch.testing.assert_close(gradient, fixture[f"x_gradient{suffix}"], rtol=1e-11, atol=1e-11)
    running = {key: value for key, value in layer.state_dict().items() if "running" in key}
    names = {"norm_q": "bn1", "norm_phi": "bn2"}
    for key, value in running.items():
        _, norm, what = f".{key}".rsplit(".", 2)
        torch.testing.assert_close(value, fixture[f"after.{names[norm]}.{what}"], rtol=1e-12, atol=1e-12)


def image(channels: int = 6) -> Tensor:
    return torch.randn(3, channels, 7, 6, dtype=torch.float64)


def test_equation() -> None:
    layer, x = DCDConv2d(6, 8, 3, padding=1, stride=2, norm=None).double().eval(), image()
    branch = layer.branch
    hidden = branch.squeeze.weight @ x.mean((2, 3))[1]
    hidden = hidden * F.relu6(branch.gate.weight @ hidden + 3) / 3
    scale = F.relu6(branch.scale.weight @ hidden + 3) / 3
    phi = (branch.fusion.weight @ hidden).reshape(2, 2)
    expected = scale[:, None, None, None] * layer.weight
    expected[:, :, 1, 1] += layer.p @ (phi + torch.eye(2)) @ layer.q
    torch.testing.assert_close(layer.kernel(x).dense()[1], expected)
    assert layer.bias is not None
    y = F.conv2d(x[1:2], expected, scale * layer.bias, stride=2, padding=1)
    torch.testing.assert_close(layer(x)[1:2], y)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("geometry", [{"padding": 1}, {"padding": 2, "stride": 2}, {"dilation": 2, "stride": 3}])
def test_normalisation_is_part_of_the_kernel(training: bool, geometry: dict[str, Any]) -> None:
    layer, x = DCDConv2d(6, 8, 3, **geometry).double().train(training), image()
    nn.init.uniform_(layer.norm_q.bias)
    nn.init.uniform_(layer.norm_phi.weight)
    kernel = layer.kernel(x)
    y = torch.cat([F.conv2d(x[b : b + 1], kernel.dense()[b], kernel.bias[b], **geometry) for b in range(3)])
    torch.testing.assert_close(layer(x), y)
    norms = [nn.BatchNorm1d(2).double().train(training) for _ in range(2)]
    for norm, ours in zip(norms, (layer.norm_q, layer.norm_phi), strict=True):
        norm.load_state_dict({**norm.state_dict(), "weight": ours.weight, "bias": ours.bias})
    _, phi = layer.branch(x.mean((2, 3)))
    centre = torch.zeros(2, 6, 3, 3, dtype=torch.float64)
    centre[:, :, 1, 1] = layer.q
    q = F.conv2d(x, centre, **geometry)
    normed = norms[0](q.flatten(2))
    fused = norms[1](phi[:, 0] @ normed) + normed
    static = layer.branch(x.mean((2, 3)))[0][..., None, None] * F.conv2d(x, layer.weight, layer.bias, **geometry)
    torch.testing.assert_close(y, static + (layer.p @ fused).reshape(static.shape))


def test_groups_do_not_meet() -> None:
    layer, x = DCDConv2d(6, 8, 3, padding=1, groups=2).double().eval(), image().requires_grad_()
    coefficients = layer.coefficients(x)
    assert coefficients["fusion"].shape == (3, 2, 1, 1)
    kernel = layer.assemble({key: value.detach() for key, value in coefficients.items()})
    y = ops.conv(x, kernel, layer.spec)[:, :4].sum()
    assert not torch.autograd.grad(y, x)[0][:, 3:].any()


def test_sizes() -> None:
    """Extra parameters of a bottleneck convolution: I·L + L·O + 4L + D·S + S² + S·L² + S·O."""
    for grid, features, rank in ((1, 64, 8), (2, 256, 16)):
        layer = DCDConv2d(64, 96, 3, bias=False, context_grid=grid)
        hidden = features // 16
        thin = 64 * rank + rank * 96 + 4 * rank
        branch = features * hidden + hidden**2 + hidden * rank**2 + hidden * 96
        assert sum(p.numel() for p in layer.parameters()) == 9 * 64 * 96 + thin + branch


def test_forced_algorithm_and_explanation() -> None:
    layer, x = DCDConv1d(4, 6, 3).double(), torch.randn(2, 4, 9, dtype=torch.float64)
    kernel = layer.kernel(x)
    expected = ops.conv(x, kernel, layer.spec, "reference")
    torch.testing.assert_close(ops.conv(x, kernel, layer.spec, "factored"), expected)
    with pytest.raises(ArgumentError, match="algorithm='fast': expected auto or one of factored, reference"):
        ops.conv(x, kernel, layer.spec, "fast")
    assert "low-rank" in explain(layer, x)


def test_bad_options() -> None:
    for option in ("rank", "context_grid", "reduction", "min_hidden", "hidden_dim"):
        with pytest.raises(ArgumentError, match=f"{option}=0: expected an integer >= 1"):
            DCDConv2d(4, 4, 3, **{option: 0})
    with pytest.raises(ArgumentError, match='norm=\'group\': expected "batch", "layer" or None'):
        DCDConv2d(4, 4, 3, norm="group")  # type: ignore[arg-type]  # the mistake tested
    with pytest.raises(ShapeError, match=r"expected \(B, 8\)"):
        DCDLinear(8, 3)(torch.randn(2, 8, 1))


def test_classifier_trains_on_few_samples() -> None:
    for batch in (0, 1):
        layer = DCDLinear(8, 3)
        layer(torch.randn(batch, 8)).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
