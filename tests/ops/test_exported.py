"""What stands in for the algorithms while a model is exported computes what they do."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from support.problems import GRID, Problem

from dynaconv import ops
from dynaconv.context import cell_averages, centre_average
from dynaconv.kernels import Kernel, LowRankKernel
from dynaconv.spec import ConvSpec

PROBLEMS = {
    **{name: problem for name, problem in GRID.items() if problem.batch},
    "many taps": Problem(4, 6, (5, 4), (9, 8), scales=("tap_scale",), tap_groups=2, geometry={"padding": 2}),
    "many taps, depthwise": Problem(4, 4, (7, 7), (9, 8), tap_groups=2, geometry={"groups": 4, "padding": 3}),
}


@pytest.fixture
def exporting(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    return monkeypatch


def low_rank(problem: Problem) -> LowRankKernel:
    spec, rank, batch = problem.spec, 3, problem.batch
    shapes = (
        spec.weight_shape,
        (batch, spec.out_channels),
        (spec.out_channels, rank),
        (batch, spec.groups, rank, rank),
        (spec.groups * rank, spec.in_channels // spec.groups),
    )
    return LowRankKernel(*(torch.randn(shape, dtype=torch.float64) for shape in shapes))


@pytest.mark.parametrize("kind", ["mixture", "dense", "tapwise", "cells", "low rank"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_equals_the_reference(name: str, kind: str, exporting: pytest.MonkeyPatch) -> None:
    problem = PROBLEMS[name]
    kernel: Kernel = low_rank(problem) if kind == "low rank" else getattr(problem, kind)()
    x = problem.input()
    expected = ops.conv(x, kernel, problem.spec, algorithm="reference")
    torch.testing.assert_close(ops.conv(x, kernel, problem.spec), expected)


def test_a_forced_algorithm_stays(exporting: pytest.MonkeyPatch) -> None:
    problem, seen = GRID["plain"], []
    exporting.setattr(import_module("dynaconv.ops.dense_conv.exported"), "forward", lambda *a: seen.append(a) or a[0])
    ops.conv(problem.input(), problem.dense(), problem.spec, algorithm="grouped")
    assert not seen
    ops.conv(problem.input(), problem.dense(), problem.spec)
    assert seen


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 3)], ids=str)
@pytest.mark.parametrize("cells", [(1, 1), (3, 2), (8, 8), (10, 4)], ids=str)
def test_cell_averages(size: tuple[int, int], cells: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = cell_averages(x, cells)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    torch.testing.assert_close(cell_averages(x, cells), expected)


@pytest.mark.parametrize("size", [(9, 8), (11, 14), (7, 7)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
@pytest.mark.parametrize(("kernel_size", "padding", "dilation"), [(3, 1, 1), (7, 3, 1), (3, 0, 2), ((2, 4), 1, 1)])
def test_centre_averages(
    size: tuple[int, int],
    stride: int | tuple[int, int],
    kernel_size: int | tuple[int, int],
    padding: int,
    dilation: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = ConvSpec.parse(4, 4, kernel_size, dims=2, stride=stride, padding=padding, dilation=dilation)
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    expected = centre_average(x, spec)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(centre_average(x, spec), expected)
