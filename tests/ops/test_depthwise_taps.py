"""Taps over single channels: a weight that is one number, half precision, and the choice of the algorithm."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from support.agreement import assert_agrees
from support.problems import GRID

from dynaconv import ops
from dynaconv.dispatch import candidates
from dynaconv.kernels import TapwiseKernel
from dynaconv.ops.tapwise_conv import REGISTRY
from dynaconv.ops.tapwise_conv.operator import OPERATOR

CHOSEN, REFERENCE = partial(ops.conv, algorithm="depthwise"), partial(ops.conv, algorithm="reference")


@pytest.mark.parametrize("amount", [1.0, -0.7])
def test_a_weight_of_one_expanded_number(amount: float) -> None:
    problem = GRID["depthwise"]
    whole = torch.full((6, 1, 3, 3), amount, dtype=torch.float64, requires_grad=True)
    number = torch.tensor(amount, dtype=torch.float64, requires_grad=True)
    taps = problem.tapwise().taps
    x = problem.input()
    assert_agrees(CHOSEN, REFERENCE, x, TapwiseKernel(number.expand(6, 1, 3, 3), taps), problem.spec)
    ops.conv(x, TapwiseKernel(whole, taps), problem.spec).square().sum().backward()
    ops.conv(x, TapwiseKernel(number.expand(6, 1, 3, 3), taps), problem.spec).square().sum().backward()
    torch.testing.assert_close(number.grad, whole.grad.sum())


def test_many_taps_are_added_up_in_full_precision() -> None:
    x, taps = torch.ones(1, 1, 40, 40), torch.full((1, 1, 31 * 31, 10, 10), 1 / 31**2)
    y = ops.tapwise_conv(x.bfloat16(), torch.ones(1, 1, 31, 31).bfloat16(), taps.bfloat16(), algorithm="depthwise")
    exact = float(taps.bfloat16()[0, 0, 0, 0, 0]) * 31**2
    torch.testing.assert_close(y.float(), torch.full((1, 1, 10, 10), exact), rtol=2**-8, atol=0)


def test_single_channels_are_seen_as_such() -> None:
    problem = OPERATOR.problem(torch.zeros(32, 6, 56, 56), spec=GRID["depthwise"].spec)
    pure = [one for one in candidates(REGISTRY.algorithms, problem) if one.name != "native"]
    assert min(pure, key=lambda one: one.cost(problem, False).seconds).name == "depthwise"
