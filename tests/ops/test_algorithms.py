"""Every algorithm of every operator equals the reference: values and all gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from support.agreement import Algorithm, assert_agrees
from support.problems import GRID, Problem, problems

from dynaconv.ops.dense_conv import ALGORITHMS as DENSE
from dynaconv.ops.mixture_conv import ALGORITHMS as MIXTURE
from dynaconv.ops.tapwise_conv import ALGORITHMS as TAPWISE

OPERATORS = {"mixture": MIXTURE, "dense": DENSE, "tapwise": TAPWISE}
FAST = [(op, name) for op, algorithms in OPERATORS.items() for name in algorithms if name != "reference"]


def check(op: str, algorithm: Algorithm, problem: Problem) -> None:
    kernel = getattr(problem, op)()
    assert_agrees(algorithm, OPERATORS[op]["reference"], problem.input(), kernel, problem.spec)


@pytest.mark.parametrize("problem", GRID.values(), ids=GRID)
@pytest.mark.parametrize(("op", "name"), FAST)
def test_grid(op: str, name: str, problem: Problem) -> None:
    check(op, OPERATORS[op][name], problem)


@pytest.mark.parametrize(("op", "name"), FAST)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(problem=problems())
def test_drawn(op: str, name: str, problem: Problem) -> None:
    torch.manual_seed(0)
    check(op, OPERATORS[op][name], problem)


@pytest.mark.parametrize(("op", "name"), FAST)
def test_memory_formats(op: str, name: str) -> None:
    problem = GRID["all scales"]
    x, kernel = problem.input(), getattr(problem, op)()
    expected = OPERATORS[op]["reference"](x, kernel, problem.spec)
    layouts = {
        "channels-last": x.to(memory_format=torch.channels_last),
        "transposed": x.transpose(2, 3).contiguous().transpose(2, 3),
        "strided": torch.stack([x, x], dim=-1)[..., 0],
    }
    for layout in layouts.values():
        assert layout.stride() != x.stride()
        torch.testing.assert_close(OPERATORS[op][name](layout, kernel, problem.spec), expected)


@pytest.mark.parametrize(("op", "name"), FAST)
def test_float32_stays_float32(op: str, name: str) -> None:
    problem = GRID["all scales"]
    x, kernel = problem.input(torch.float32), getattr(problem, op)(torch.float32)
    found = OPERATORS[op][name](x, kernel, problem.spec)
    expected = OPERATORS[op]["reference"](x, kernel, problem.spec)
    assert found.dtype == expected.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("fault", ["value", "gradient"])
def test_a_wrong_algorithm_is_found(op: str, fault: str) -> None:
    right = OPERATORS[op]["reference"]

    def wrong(x, kernel, spec):
        y = right(x, kernel, spec)
        # The gradient fault keeps every value and doubles what flows back.
        return y + 1e-3 if fault == "value" else y + (y - y.detach())

    with pytest.raises(AssertionError, match="gradient of x" if fault == "gradient" else "not close"):
        check(op, wrong, GRID["plain"])
