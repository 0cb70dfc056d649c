"""A comparison as a table of texts, the best value of each column marked; the console and the report both show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dynaconv.compare.results import Comparison, EntryResult, Spread

__all__ = ["Cell", "Row", "table_headings", "table_rows"]


@dataclass(frozen=True)
class Cell:
    """One value; `best` if no other row does better in this column and not all are the same."""

    text: str
    best: bool


@dataclass(frozen=True)
class Row:
    """One network."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _Column:
    heading: str
    value: Callable[[EntryResult], float]
    text: Callable[[EntryResult], str]
    larger_is_better: bool


def _percent(accuracy: Spread) -> str:
    spread = "" if accuracy.std is None else f" ± {100 * accuracy.std:.1f}"
    return f"{100 * accuracy.mean:.1f}{spread} %"


_COLUMNS = (
    _Column("parameters", lambda r: r.parameters, lambda r: f"{r.parameters:,}", False),
    _Column("multiply-adds", lambda r: r.macs, lambda r: f"{r.macs / 1e6:.2f} M", False),
    _Column("time per step", lambda r: r.seconds_per_step, lambda r: f"{1e3 * r.seconds_per_step:.1f} ms", False),
    _Column("clean accuracy", lambda r: r.clean.mean, lambda r: _percent(r.clean), True),
    _Column("viewpoint accuracy", lambda r: r.viewpoint.mean, lambda r: _percent(r.viewpoint), True),
)


def table_headings() -> tuple[str, ...]:
    """Headings of the columns after the first, which holds the network's label."""
    return tuple(column.heading for column in _COLUMNS)


def table_rows(comparison: Comparison) -> tuple[Row, ...]:
    """One row per entry, in order; values that read the same count as equal."""
    columns = [_cells(column, comparison.results) for column in _COLUMNS]
    return tuple(
        Row(result.entry.label, cells)
        for result, cells in zip(comparison.results, zip(*columns, strict=True), strict=True)
    )


def _cells(column: _Column, results: Sequence[EntryResult]) -> list[Cell]:
    texts = [column.text(result) for result in results]
    values = [column.value(result) for result in results]
    best = texts[values.index(max(values) if column.larger_is_better else min(values))]
    distinct = len(set(texts)) > 1
    return [Cell(text, distinct and text == best) for text in texts]
