"""The page on conversions: its examples run, and its table is what the library does."""

from __future__ import annotations

import re
from pathlib import Path

from support.conversion_table import on_page, table

PAGE = (Path(__file__).parents[2] / "docs" / "convert.md").read_text(encoding="utf-8")


def test_python_runs() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "convert.md", "exec"), names)


def test_the_table_is_up_to_date() -> None:
    assert on_page(PAGE) == table(), "docs/convert.md is out of date: make docs-convert"
