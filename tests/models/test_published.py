"""Every published network has the parameters and multiply-adds counted in its authors' code."""

from __future__ import annotations

import re

import pytest
import torch

from dynaconv.models import profile
from dynaconv.models.published import PRESETS, Preset

UNITS = {"M": 1e6, "G": 1e9}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_parameters_and_multiply_adds(preset: Preset):
    with torch.device("meta"):
        model = preset.build(1000, 3)
    assert sum(p.numel() for p in model.parameters()) == preset.parameters
    counted = profile(model, preset.input_size)
    assert counted.parameters == preset.parameters
    made = counted.assembly if preset.with_assembly else 0
    assert counted.macs + made == pytest.approx(preset.macs, rel=0.01)


@pytest.mark.parametrize("preset", [p for p in PRESETS.values() if not p.note], ids=lambda p: p.name)
def test_printed_parameters_are_met_to_their_digits(preset: Preset):
    if printed := re.fullmatch(r"(\d+)\.(\d+) ([MG])", preset.published_parameters):
        rounded = round(preset.parameters / UNITS[printed[3]], len(printed[2]))
        assert rounded == float(f"{printed[1]}.{printed[2]}")
