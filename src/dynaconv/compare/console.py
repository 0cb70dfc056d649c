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
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError as error:
        raise MissingExtraError("rich", "train") from error
    count = len(comparison.seeds)
    spread = f"mean ± standard deviation of {count} seeds" if count > 1 else "1 seed"
    table = Table(title=f"{comparison.data}, {comparison.epochs} epochs, {spread}", title_justify="left")
    table.add_column("network")
    for heading in table_headings():
        table.add_column(heading, justify="right")
    for row in table_rows(comparison):
        cells = [Text(cell.text, style="bold green" if cell.best else "") for cell in row.cells]
        table.add_row(Text(row.label), *cells)
    (console or Console()).print(table)
