"""The roofline of a layer, worked out by hand, and the benchmark on one small layer."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def roofline(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import roofline

    return roofline


def test_a_pointwise_layer_by_hand(roofline: ModuleType) -> None:
    layer = roofline.Layer(8, 16, 1, 2, 4)
    forward, step = roofline.work_of(layer, batch=2, experts=3, size=20)
    # A map of 5×5 becomes one of 3×3; 128 weights.
    assert forward == roofline.Work(2 * 9 * 128, 2 * 3 * 128, 4 * (2 * 8 * 25 + 2 * 16 * 9 + 3 * 128))
    assert step == roofline.Work(3 * 2 * 9 * 128, 4 * 2 * 3 * 128, 4 * (3 * (400 + 288) + 4 * 384))
    assert roofline.work_of(layer, batch=2, experts=0, size=20)[0].mixing == 0


def test_arithmetic_or_memory_sets_the_roof(roofline: ModuleType) -> None:
    work = roofline.Work(convolving=600, mixing=200, traffic=100)
    assert work.roofline(roofline.Machine(peak=100, bandwidth=100)) == (0.75, False)
    assert work.roofline(roofline.Machine(peak=100, bandwidth=10)) == (0.6, True)
    assert work.share(roofline.Machine(peak=100, bandwidth=10), milliseconds=12e3) == 0.5


def test_the_table(roofline: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    machine = roofline.measured_machine(False, side=64, numbers=2**12)
    assert machine.peak > 0
    assert machine.bandwidth > 0
    monkeypatch.setattr(roofline, "measured_machine", lambda cpu_time: machine)
    monkeypatch.setitem(roofline.NETWORKS, "resnet18", [roofline.Layer(8, 16, 3, 1, 4)])
    monkeypatch.setattr(sys, "argv", ["roofline.py", "--size", "32", "--batch", "2", "--repeats", "1"])
    roofline.main()
    *_, heads, line = capsys.readouterr().out.splitlines()
    assert heads.split() == ["layer", *["static", "roof", "native", "roof"], "|", *["static", "roof", "native", "roof"]]
    assert line.startswith("1 x 8>16 3x3/1 at 8 ")
    assert line.count("%") == 8
