"""Two-column tables for the terminal: with rich where it is installed, as plain text elsewhere."""

from __future__ import annotations

import sys

try:
    from rich.console import Console
    from rich.table import Table
except ModuleNotFoundError:
    Console = None  # type: ignore[assignment, misc]  # asked for below

__all__ = ["print_table"]


def print_table(rows: list[tuple[str, str]], heads: tuple[str, str]) -> None:
    """Prints `rows` under `heads`; text too long for the terminal is wrapped (rich) or left whole (plain)."""
    if Console is not None and sys.stdout.isatty():
        table = Table(*heads)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    width = max(len(first) for first, _ in [heads, *rows])
    sys.stdout.writelines(f"{first:<{width}}  {second}\n" for first, second in [heads, *rows])
