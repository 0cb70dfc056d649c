"""A report's content with made-up numbers: no training, no data set."""

from __future__ import annotations

import math

import pytest
import torch

from dynaconv.analysis import LayerTurn, Turning
from dynaconv.compare import Comparison, Entry, EntryResult, EpochPoint, SeedRun
from dynaconv.report import ReportContent, Samples

ANGLES = tuple(float(angle) for angle in range(0, 361, 10))


def made_up_run(seed: int, pace: float) -> SeedRun:
    history = tuple(
        EpochPoint(epoch, 2.3 * math.exp(-epoch * pace), 1 - math.exp(-epoch * pace), 1 - math.exp(-epoch * pace / 2))
        for epoch in range(1, 6)
    )
    last = history[-1]
    return SeedRun(
        seed,
        int(10_000 / pace),
        int(2e6 / pace),
        0.01 * pace,
        last.clean_accuracy,
        last.viewpoint_accuracy,
        history,
    )


def made_up_turning(layers: int) -> Turning:
    generator = torch.Generator().manual_seed(layers)
    radians = torch.tensor(ANGLES)[:, None] * math.pi / 180
    turned = []
    for i in range(layers):
        phases = torch.rand(40, generator=generator) * 2 * math.pi
        gates = 0.5 + 0.2 * torch.sin(radians + phases)
        change = (gates - gates[0]).norm(dim=1)
        turned.append(LayerTurn(f"stage{i}.conv", {"gate": gates, "constant": torch.ones(len(ANGLES), 3)}, change))
    images = torch.rand(len(ANGLES), 1, 12, 12, generator=generator)
    return Turning(ANGLES, images, torch.arange(len(ANGLES)) % 2, tuple(turned))


@pytest.fixture(scope="session")
def content() -> ReportContent:
    results = (
        EntryResult(Entry("static", "net", "static"), (made_up_run(0, 0.5),)),
        EntryResult(Entry("<b>dynamic</b>", "net"), (made_up_run(0, 0.8),)),
    )
    return ReportContent(
        title="A & B",
        introduction=("One paragraph.", "Another </script> one."),
        comparison=Comparison("digits", 5, (0,), results),
        samples=Samples(torch.rand(3, 1, 12, 12), torch.rand(3, 4, 1, 12, 12), ("zero", "one", "two")),
        turnings={"<b>dynamic</b>": made_up_turning(3)},
        turned_label="one",
        classes=("zero", "one"),
        provenance={"command": "dynaconv demo"},
    )
