"""Every algorithm of every operator equals the reference: values and all gradients."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from support.agreement import assert_agrees, tolerance
from support.problems import GRID, Problem, problems
from torch import Tensor

from dynaconv import native, ops
from dynaconv.errors import AlgorithmError
from dynaconv.kernels import Kernel
from dynaconv.ops.cell_conv import REGISTRY as CELLS
from dynaconv.ops.dense_conv import REGISTRY as DENSE
from dynaconv.ops.mixture_conv import REGISTRY as MIXTURE
from dynaconv.ops.tapwise_conv import REGISTRY as TAPWISE
from dynaconv.spec import ConvSpec

OPERATORS = {"mixture": MIXTURE, "dense": DENSE, "tapwise": TAPWISE, "cells": CELLS}
FAST = [
    (op, name) for op, registry in OPERATORS.items() for name in ["auto", *registry.algorithms] if name != "reference"
]


def check(op: str, name: str, problem: Problem) -> None:
    """The algorithm, forced by name, against the reference; where it cannot run, that it says so."""
    dtype = dtype_of(name)
    kernel, spec = getattr(problem, op)(dtype), problem.spec
    reasons = refusal(op, name, problem)
    with pytest.raises(AlgorithmError, match=reasons) if reasons else nullcontext():
        assert_agrees(partial(ops.conv, algorithm=name), REFERENCE, problem.input(dtype), kernel, spec)


def dtype_of(name: str) -> torch.dtype:
    """The compiled kernels know float32 alone; everything else is compared in float64."""
    return torch.float32 if name.startswith("native") else torch.float64


def refusal(op: str, name: str, problem: Problem) -> str | None:
    """Why an algorithm cannot run a problem; scales per expert are run one expert at a time."""
    taps = "tap_scale" in problem.scales
    one_by_one = problem.per_expert and len(set(problem.scales) - {"bias_bank"}) > 0
    if problem.batch == 0 and op != "mixture":
        return None  # without samples, none runs
    if name.startswith("native") and native.status().state != "on":
        return "native kernels are off"
    if op == "cells" and name == "native":
        return cells_refusal(problem)
    if name == "depthwise" and not problem.spec.groups == problem.in_channels == problem.out_channels:
        return "only depthwise"
    if name == "static" and problem.experts > 1 and not one_by_one:
        return f"K={problem.experts}: several experts need mixing"
    if name == "static" and taps:
        return "tap scales change the kernel itself"
    if name == "expert_input" and taps:
        return "tap scales differ between a sample's taps"
    return None


def cells_refusal(problem: Problem) -> str | None:
    """The compiled kernels put kernels together from cells of one tap, which are wide where there are several."""
    if problem.spec.groups > 1:
        return f"groups={problem.spec.groups}: only 1"
    cell = problem.cells().cells.shape[1:]
    if set(cell[2:]) != {1}:
        return "only single ones"
    return "only multiples of 64" if cell[:2] != problem.spec.weight_shape[:2] else None


REFERENCE = partial(ops.conv, algorithm="reference")


@pytest.mark.parametrize("problem", GRID.values(), ids=GRID)
@pytest.mark.parametrize(("op", "name"), FAST)
def test_grid(op: str, name: str, problem: Problem) -> None:
    check(op, name, problem)


@pytest.mark.parametrize(("op", "name"), FAST)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(problem=problems())
def test_drawn(op: str, name: str, problem: Problem) -> None:
    torch.manual_seed(0)
    check(op, name, problem)


RUNNABLE = [(op, name) for op, name in FAST if name not in ("static", "expert_input")]


@pytest.mark.parametrize(("op", "name"), RUNNABLE)
@pytest.mark.parametrize("problem", ["all scales", "groups", "pointwise", "depthwise", "3d"])
def test_memory_formats(op: str, name: str, problem: str) -> None:
    if refusal(op, name, GRID[problem]):
        check(op, name, GRID[problem])
        return
    made, dtype = GRID[problem], dtype_of(name)
    x, kernel = made.input(dtype), getattr(made, op)(dtype)
    expected = REFERENCE(x, kernel, made.spec)
    last = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    layouts = {
        "channels-last": x.to(memory_format=last),
        "transposed": x.transpose(2, 3).contiguous().transpose(2, 3),
        "strided": torch.stack([x, x], dim=-1)[..., 0],
    }
    for layout in layouts.values():
        assert layout.stride() != x.stride()
        torch.testing.assert_close(ops.conv(layout, kernel, made.spec, name), expected, **tolerance(dtype))


@pytest.mark.parametrize("name", ["auto", "per_sample", "patches"])
def test_channels_last_stays_channels_last(name: str) -> None:
    made = GRID["all scales"]
    x, kernel = made.input().to(memory_format=torch.channels_last), made.mixture()
    assert ops.conv(x, kernel, made.spec, name).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("op", "name"), RUNNABLE)
def test_float32_stays_float32(op: str, name: str) -> None:
    made = next(problem for problem in (GRID["depthwise"], *GRID.values()) if refusal(op, name, problem) is None)
    x, kernel = made.input(torch.float32), getattr(made, op)(torch.float32)
    found, expected = ops.conv(x, kernel, made.spec, name), REFERENCE(x, kernel, made.spec)
    assert found.dtype == expected.dtype == torch.float32
    torch.testing.assert_close(found, expected, **tolerance(torch.float32))


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("fault", ["value", "gradient"])
def test_a_wrong_algorithm_is_found(op: str, fault: str) -> None:
    made = GRID["plain"]

    def wrong(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
        y = REFERENCE(x, kernel, spec)
        # The gradient fault keeps every value and doubles what flows back.
        return y + 1e-3 if fault == "value" else y + (y - y.detach())

    with pytest.raises(AssertionError, match="gradient of x" if fault == "gradient" else "not close"):
        assert_agrees(wrong, REFERENCE, made.input(), getattr(made, op)(), made.spec)
