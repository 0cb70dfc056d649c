"""Kernels from cells are assembled a few samples at a time, and nothing of their size is kept."""

from __future__ import annotations

import pytest
import torch
from support.agreement import assert_agrees
from support.problems import GRID, Problem

from dynaconv import ops
from dynaconv.errors import ShapeError
from dynaconv.kernels import CellKernel
from dynaconv.ops.cell_conv import cell_blocks


@pytest.mark.parametrize("name", ["plain", "groups", "3d", "channels"])
def test_blocks_of_samples_are_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = GRID.get(name) or Problem(8, 12, (3, 3), (5, 6), batch=5, geometry={"padding": 1})
    kernel, seen = problem.cells(), []
    arrange = CellKernel.from_blocks
    monkeypatch.setattr(CellKernel, "from_blocks", lambda k, b: seen.append(len(k.mixture)) or arrange(k, b))
    monkeypatch.setattr(cell_blocks, "BLOCK_NUMBERS", 2 * problem.spec.weight_count)
    assert_agrees(ops.conv, lambda *a: ops.conv(*a, algorithm="reference"), problem.input(), kernel, problem.spec)
    assert max(seen[1:]) == 2, "the reference alone assembles all samples at once"


def test_nothing_the_size_of_the_kernels_stays_alive() -> None:
    problem = Problem(8, 8, (3, 3), (6, 6), batch=32, experts=4, geometry={"padding": 1})
    kernel, saved = problem.cells(torch.float32), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.conv(problem.input(torch.float32), kernel, problem.spec)
    # Input, cells and mixture, and nothing else.
    assert sum(saved) == 32 * 8 * 36 + kernel.cells.numel() + kernel.mixture.numel()


def test_what_does_not_fit_is_refused() -> None:
    problem = GRID["plain"]
    x, kernel = problem.input(), problem.cells()
    with pytest.raises(ShapeError, match=r"cells=\(4, 7, 3, 1, 3\): expected \(N, o, i, \*c\), of which"):
        ops.conv(x, CellKernel(kernel.cells[:, :, :3], kernel.mixture), problem.spec)
    with pytest.raises(ShapeError, match=r"mixture=\(2, 3, 1, 1, 1, 4\): expected \(3, 3, 1, 1, 1, 4\)"):
        ops.conv(x, CellKernel(kernel.cells, kernel.mixture[:2]), problem.spec)


def test_the_choice_is_explained() -> None:
    problem = GRID["plain"]
    text = ops.explain_conv(problem.input(), problem.cells(), problem.spec)
    assert "cell_conv: x 3×5×9×8" in text
    assert "per_sample" in text
