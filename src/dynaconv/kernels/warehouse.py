"""A warehouse: kernel cells that several layers mix their kernels from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import gcd, prod, sqrt
from typing import Literal, Self

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels.memory_format import kernelwise

__all__ = ["Shelf", "Warehouse"]


@dataclass(frozen=True)
class Shelf:
    """A layer's place in a warehouse.

    Attributes:
        cells: which cells are the layer's own; it mixes from all, and starts with these.
        assignment: for every block of the layer's kernel, in the order of `CellKernel.mixture`, the cell that it
            starts with; the number of all cells where it starts with none.
        blocks: how many blocks there are along every tap dimension, output and input channels: `(*P, Q, R)`.
    """

    cells: range
    assignment: tuple[int, ...]
    blocks: tuple[int, ...]


class Warehouse(nn.Module):
    """Kernel cells for the kernels of all given shapes.

    A cell has as many output and input channels as all kernels can be cut into: the greatest common divisors, times
    `cell_ratio`. There are `budget` times as many cells as the kernels have blocks.

    Args:
        shapes: `(O, I/g, *k)` of every layer that will take a place.
        budget: b, an integer, or one over an integer; every block has b cells of its own, or every (1/b)-th block has
            one. The parameters of the kernels grow or shrink by it.
        cell_ratio: output and input channels of a cell as a share of the greatest common divisors; one number, or two.
        spatial_partition: whether a cell is a single tap; otherwise it has all taps, and all shapes have the same.
        init: `"published"` as the authors start; `"scaled"` so that kernels assembled of their own cells have the
            variance of a static kernel's start (He, fan-out).
        device: where the cells live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed; ShapeError for a shape.

    Source: Li, Yao, KernelWarehouse, ICML 2024, 2406.07879; OSVAI/KernelWarehouse. Differs: where the cells' channels
    do not divide, the next smaller divisor is taken, and any number of blocks has a whole number of cells.

    Example:
        >>> Warehouse([(64, 64, 3, 3), (128, 64, 3, 3)], budget=2).cells.shape
        torch.Size([54, 64, 64, 1, 1])
    """

    def __init__(
        self,
        shapes: Iterable[tuple[int, ...]],
        *,
        budget: float = 1.0,
        cell_ratio: float | tuple[float, float] = 1.0,
        spatial_partition: bool = True,
        init: Literal["scaled", "published"] = "scaled",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        shapes = [tuple(shape) for shape in shapes]
        size = _common_size(shapes, spatial_partition)
        if init not in ("scaled", "published"):
            raise ArgumentError("init", init, '"scaled" or "published"')
        self.budget, self.init, self.taken = _checked_budget(budget), init, 0
        ratios = cell_ratio if isinstance(cell_ratio, tuple) else (cell_ratio, cell_ratio)
        channels = [_cell_channels(gcd(*(s[axis] for s in shapes)), ratio) for axis, ratio in enumerate(ratios)]
        self.cell_shape = (*channels, *((1,) * len(size) if spatial_partition else size))
        count = sum(len(self._own_blocks(prod(self.blocks(shape)))) * self._stride for shape in shapes)
        self.cells = nn.Parameter(torch.empty(count, *self.cell_shape, device=device, dtype=dtype))
        nn.init.normal_(self.cells)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Let `model.to(memory_format=torch.channels_last)` pass: see `kernelwise`."""
        is_2d = len(self.cell_shape) == len("OIHW")
        super()._apply(kernelwise(fn) if is_2d else fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def blocks(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`(*P, Q, R)`: how many blocks a kernel of shape `(O, I/g, *k)` is cut into.

        Raises:
            ShapeError: it cannot be cut into cells.
        """
        if len(shape) != len(self.cell_shape) or any(s % c for s, c in zip(shape, self.cell_shape, strict=True)):
            raise ShapeError("shape", shape, f"a kernel that can be cut into cells of {self.cell_shape}")
        outputs, inputs, *taps = (s // c for s, c in zip(shape, self.cell_shape, strict=True))
        return (*taps, outputs, inputs)

    def take(self, shape: tuple[int, ...], groups: int = 1) -> Shelf:
        """The next layer's place; its cells get their start.

        Args:
            shape: `(O, I/g, *k)`.
            groups: g.

        Raises:
            ArgumentError: all cells have been given out; ShapeError: the kernel cannot be cut into cells.
        """
        blocks = self.blocks(shape)
        own = self._own_blocks(prod(blocks))
        cells = range(self.taken, self.taken + len(own) * self._stride)
        if cells.stop > len(self.cells):
            left = len(self.cells) - self.taken
            raise ArgumentError("warehouse", f"{left} free cells", f"{len(cells)}: plan it for every layer's shape")
        assignment = [len(self.cells)] * prod(blocks)
        for block, cell in zip(own, cells[:: self._stride], strict=True):
            assignment[block] = cell
        self.taken = cells.stop
        nn.init.normal_(self.cells.data[cells.start : cells.stop], std=self._std(shape, groups, cells))
        return Shelf(cells, tuple(assignment), blocks)

    def extra_repr(self) -> str:
        """How many cells of which shape."""
        return f"cells={tuple(self.cells.shape)}, budget={self.budget:g}"

    @property
    def _stride(self) -> int:
        """Cells of its own that a block has."""
        return max(1, round(self.budget))

    def _own_blocks(self, blocks: int) -> list[int]:
        """The blocks that have cells: one in every 1/b, one place later each time, as published."""
        period = max(1, round(1 / self.budget))
        return [block for block in range(blocks) if block % period == block // period % period]

    def _std(self, shape: tuple[int, ...], groups: int, cells: range) -> float:
        """The standard deviation that a layer's own cells start with."""
        if self.init == "published":
            # He's fan-out with all of the layer's cells counted as output channels.
            return sqrt(2 / (len(cells) * self.cell_shape[0] * prod(self.cell_shape[2:])))
        return sqrt(2 * groups / (shape[0] * prod(shape[2:]) * min(self.budget, 1.0)))


def _common_size(shapes: list[tuple[int, ...]], spatial_partition: bool) -> tuple[int, ...]:
    """The first kernel's `*k`."""
    if not shapes or len(shapes[0]) not in (3, 4, 5) or any(len(s) != len(shapes[0]) for s in shapes):
        raise ArgumentError("shapes", shapes, "at least one (O, I/g, *k), all with the same dimensions")
    size = shapes[0][2:]
    if not spatial_partition and any(s[2:] != size for s in shapes):
        raise ArgumentError("spatial_partition", False, "True, since the kernels differ in size")
    return size


def _checked_budget(budget: float) -> float:
    allowed = "an integer >= 1, or one over an integer"
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0 < budget < float("inf"):
        raise ArgumentError("budget", budget, allowed)
    whole = budget if budget >= 1 else 1 / budget
    if abs(whole - round(whole)) > 1e-6:
        raise ArgumentError("budget", budget, allowed)
    return float(budget)


def _cell_channels(channels: int, ratio: float) -> int:
    """The largest divisor of `channels` that is no larger than its share `ratio`."""
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
        raise ArgumentError("cell_ratio", ratio, "a number above 0, up to 1")
    most = max(1, int(channels * ratio + 1e-6))
    return next(n for n in range(most, 0, -1) if channels % n == 0)
