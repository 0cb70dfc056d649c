"""The references have tests of their own, against numbers worked out by hand and against PyTorch's convolutions."""

from __future__ import annotations

import pytest
import torch
from support.problems import GRID, Problem
from torch import nn

from dynaconv import ops
from dynaconv.kernels import DenseKernel

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def test_mixture_by_hand() -> None:
    # Two experts on one pixel: (0.5·1·2 + 0.25·4·3)·10 + 0.5·1 + 0.25·2, with tap scales 2 and 3.
    x = torch.tensor([[[[10.0]]]])
    bank = torch.tensor([1.0, 4.0]).reshape(2, 1, 1, 1, 1)
    y = ops.mixture_conv(
        x,
        bank,
        torch.tensor([[0.5, 0.25]]),
        tap_scale=torch.tensor([2.0, 3.0]).reshape(1, 2, 1, 1),
        bias_bank=torch.tensor([[1.0], [2.0]]),
        algorithm="reference",
    )
    assert y.item() == 41.0


def test_scales_by_hand() -> None:
    # Two groups of one channel each: y_0 = 2·(3·5)·7, y_1 = 11·(13·17)·19.
    x = torch.tensor([5.0, 17.0]).reshape(1, 2, 1)
    bank = torch.tensor([7.0, 19.0]).reshape(1, 2, 1, 1)
    y = ops.mixture_conv(
        x,
        bank,
        torch.ones(1, 1),
        in_scale=torch.tensor([[3.0, 13.0]]),
        out_scale=torch.tensor([[2.0, 11.0]]),
        groups=2,
        algorithm="reference",
    )
    assert y.flatten().tolist() == [2 * 3 * 5 * 7, 11 * 13 * 17 * 19]


def test_dense_by_hand() -> None:
    # Each sample its own difference kernel: (a, b) on (1, 4, 9) gives a·1 + b·4, a·4 + b·9.
    x = torch.tensor([1.0, 4.0, 9.0]).expand(2, 1, 3)
    weight = torch.tensor([[1.0, 0.0], [-1.0, 2.0]]).reshape(2, 1, 1, 2)
    y = ops.dense_conv(x, weight, torch.tensor([[0.0], [100.0]]), algorithm="reference")
    assert y.reshape(2, 2).tolist() == [[1.0, 4.0], [107.0, 114.0]]


def test_tapwise_by_hand() -> None:
    # y_p = a_{p,0}·w_0·x_p + a_{p,1}·w_1·x_{p+1}
    x = torch.tensor([1.0, 4.0, 9.0]).reshape(1, 1, 3)
    weight = torch.tensor([10.0, 100.0]).reshape(1, 1, 2)
    taps = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
    y = ops.tapwise_conv(x, weight, taps, torch.tensor([0.5]), algorithm="reference")
    assert y.flatten().tolist() == [10 + 3 * 400 + 0.5, 2 * 40 + 4 * 900 + 0.5]


@pytest.mark.parametrize("problem", GRID.values(), ids=GRID)
def test_one_kernel_for_all_is_the_ordinary_convolution(problem: Problem) -> None:
    spec = problem.spec
    conv = CONVS[spec.dims](
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        **{"padding": 0, **problem.geometry},
    ).double()
    x = problem.input()
    expected = conv(x)
    weight = conv.weight.expand(problem.batch, *spec.weight_shape)
    dense = DenseKernel(weight, conv.bias)
    torch.testing.assert_close(ops.conv(x, dense, spec, "reference"), expected)
    ones = torch.ones(problem.batch, 1, spec.taps, *spec.output_size(problem.size), dtype=torch.float64)
    tapwise = ops.tapwise_conv(x, conv.weight, ones, conv.bias, algorithm="reference", **problem.geometry)
    torch.testing.assert_close(tapwise, expected)
