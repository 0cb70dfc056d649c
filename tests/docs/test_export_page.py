"""The page on exports: its examples run, and its table lists every method, within the stated tolerance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.export_table import rows_on_page
from support.exported import TOLERANCE

from dynaconv.layers import list_convs

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "export.md", "exec"), known)


def test_the_table_lists_every_method() -> None:
    rows = rows_on_page(PAGE)
    assert [*rows] == list_convs(), "docs/export.md is out of date: make docs-export"
    assert max(rows.values()) <= TOLERANCE
    assert f"to {TOLERANCE:g}".replace("e-05", "e-5") in PAGE
