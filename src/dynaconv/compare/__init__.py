"""Several networks trained alike, and what each reached."""

from __future__ import annotations

from dynaconv.compare.console import print_comparison
from dynaconv.compare.files import load_comparison, save_comparison, write_text
from dynaconv.compare.results import Comparison, Entry, EntryResult, EpochPoint, SeedRun, Spread
from dynaconv.compare.runner import compare, run_config
from dynaconv.compare.table import Cell, Row, table_headings, table_rows

__all__ = [
    "Cell",
    "Comparison",
    "Entry",
    "EntryResult",
    "EpochPoint",
    "Row",
    "SeedRun",
    "Spread",
    "compare",
    "load_comparison",
    "print_comparison",
    "run_config",
    "save_comparison",
    "table_headings",
    "table_rows",
    "write_text",
]
