"""Every published network has the parameters and multiply-adds counted in its authors' code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dynaconv.models.published import PRESETS, Preset
from dynaconv.models.published.page import counted, page, row

PAGE = (Path(__file__).parents[2] / "docs" / "published.md").read_text(encoding="utf-8")
UNITS = {"M": 1e6, "G": 1e9}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_parameters_and_multiply_adds(preset: Preset) -> None:
    found = counted(preset)
    assert found.parameters == preset.parameters
    made = found.assembly if preset.with_assembly else 0
    assert found.macs + made == pytest.approx(preset.macs, rel=0.01)
    assert row(preset, found) in PAGE.splitlines(), "docs/published.md is out of date: make docs-published"


def test_the_page_holds_the_networks_and_nothing_else() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert page(PRESETS.values(), rows) == PAGE
    assert [line.split("`")[1] for line in rows] == list(PRESETS)


@pytest.mark.parametrize("preset", [p for p in PRESETS.values() if not p.note], ids=lambda p: p.name)
def test_printed_parameters_are_met_to_their_digits(preset: Preset):
    if printed := re.fullmatch(r"(\d+)\.(\d+) ([MG])", preset.published_parameters):
        rounded = round(preset.parameters / UNITS[printed[3]], len(printed[2]))
        assert rounded == float(f"{printed[1]}.{printed[2]}")
