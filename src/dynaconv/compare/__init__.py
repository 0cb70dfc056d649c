"""Several networks trained alike, and what each reached."""

from __future__ import annotations

from dynaconv.compare.files import write_text
from dynaconv.compare.results import Comparison, Entry, EntryResult, EpochPoint, SeedRun, Spread
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
    "table_headings",
    "table_rows",
    "write_text",
]
