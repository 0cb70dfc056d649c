"""A comparison as a table on the console, by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaconv.compare.results import Comparison
from dynaconv.compare.table import table_headings, table_rows
from dynaconv.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_comparison"]


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print one row per network, the best value of each column in green.

    Args:
        comparison: what to print.
        console: where to; standard output by default.

    Raises:
        MissingExtraError: if rich is not installed.
    """
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError as error:
        raise MissingExtraError("rich", "train") from error
    seeds, epochs = len(comparison.seeds), comparison.epochs
    spread = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "1 seed"
    title = f"{comparison.data}, {epochs} {'epoch' if epochs == 1 else 'epochs'}, {spread}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("network", no_wrap=True)
    for heading in table_headings():
        # Two lines, so that the table fits 80 characters.
        table.add_column(heading.replace(" ", "\n", 1), justify="right", no_wrap=True)
    for row in table_rows(comparison):
        cells = [Text(cell.text, style="bold green" if cell.best else "") for cell in row.cells]
        table.add_row(Text(row.label), *cells)
    (console or Console()).print(table)
