"""A convolution with few outputs is PyTorch's, whichever way it runs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dynaconv.errors import ShapeError
from dynaconv.layers.score_conv import ScoreConv2d
from dynaconv.ops import score_conv as module
from dynaconv.ops.score_conv import score_conv


def draw(batch: int, outputs: int, groups: int = 1, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    shapes = ((batch, 12, 7, 10), (outputs, 12 // groups, 3, 3), (outputs,))
    return [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize(("batch", "outputs", "groups"), [(0, 3, 1), (1, 3, 1), (5, 8, 1), (2, 9, 1), (2, 6, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradients(batch: int, outputs: int, groups: int, dtype: torch.dtype) -> None:
    leaves = draw(batch, outputs, groups, dtype)
    y, expected = score_conv(*leaves, groups), F.conv2d(*leaves, padding=1, groups=groups)
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-5)
    upstream = torch.randn_like(y)
    found, exact = (torch.autograd.grad(v, leaves, upstream) for v in (y, expected))
    torch.testing.assert_close(found, exact, atol=1e-4, rtol=1e-4)


def test_second_derivatives() -> None:
    x, weight, bias = draw(2, 3)

    def found(y: Tensor) -> tuple[Tensor, ...]:
        (to_x,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(to_x.square().sum(), (x, weight))

    expected = found(F.conv2d(x, weight, bias, padding=1))
    torch.testing.assert_close(found(score_conv(x, weight, bias)), expected, atol=1e-2, rtol=1e-4)


def test_an_input_that_does_not_fit_is_refused() -> None:
    x, weight, bias = draw(2, 3)
    with pytest.raises(ShapeError, match="x"):
        score_conv(x[:, 1:], weight, bias)


def test_compilers_and_autocast_see_an_ordinary_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.native, "forward", lambda *_: pytest.fail("the compiled kernels ran"))
    x, weight, bias = draw(2, 3)
    compiled = torch.compile(score_conv, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, weight, bias), F.conv2d(x, weight, bias, padding=1))
    with torch.autocast("cpu"):
        assert score_conv(x, weight, bias).dtype == torch.bfloat16


def test_the_module_is_a_convolution() -> None:
    layer = ScoreConv2d(12, 3, 3, padding=1)
    x = draw(2, 3)[0]
    torch.testing.assert_close(layer(x), torch.nn.Conv2d.forward(layer, x), atol=1e-5, rtol=1e-5)
