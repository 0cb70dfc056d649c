from __future__ import annotations

import pytest

from dynaconv.compare import Comparison, Entry, EntryResult, EpochPoint, SeedRun, Spread, table_headings, table_rows


def run(seed: int, accuracy: float, *, seconds: float = 0.01, macs: int = 2_000_000, epochs: int = 2) -> SeedRun:
    history = tuple(EpochPoint(e, 1.0 / (e + seed), accuracy, accuracy / 2) for e in range(1, epochs + 1))
    return SeedRun(seed, 12_345, macs, seconds, accuracy, accuracy / 2, history)


def test_a_single_value_has_no_deviation() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None)
    assert Spread.of([0.4, 0.6]).std == pytest.approx(0.1414, abs=1e-4)


def test_a_result_summarises_its_seeds() -> None:
    result = EntryResult(Entry("a", "net"), (run(0, 0.8, seconds=0.03), run(1, 0.6, seconds=0.01)))
    assert result.clean.mean == pytest.approx(0.7)
    assert result.viewpoint.mean == pytest.approx(0.35)
    assert result.seconds_per_step == pytest.approx(0.02)
    assert (result.parameters, result.macs) == (12_345, 2_000_000)
    assert [(p.epoch, p.train_loss) for p in result.curve()] == [(1, 0.75), (2, pytest.approx(5 / 12))]


def test_the_curve_is_as_long_as_the_shortest_run() -> None:
    result = EntryResult(Entry("a", "net"), (run(0, 0.8, epochs=3), run(1, 0.6, epochs=2)))
    assert len(result.curve()) == 2


def test_the_table_formats_values_and_marks_the_best() -> None:
    slow = EntryResult(Entry("slow", "net"), (run(0, 0.9, seconds=0.02), run(1, 0.8, seconds=0.02)))
    fast = EntryResult(Entry("fast", "net"), (run(0, 0.7), run(1, 0.7)))
    rows = table_rows(Comparison("digits", 2, (0, 1), (slow, fast)))
    assert table_headings() == (
        "parameters",
        "multiply-adds",
        "time per step",
        "clean accuracy",
        "viewpoint accuracy",
    )
    assert [row.label for row in rows] == ["slow", "fast"]
    assert [c.text for c in rows[0].cells] == ["12,345", "2.00 M", "20.0 ms", "85.0 ± 7.1 %", "42.5 ± 3.5 %"]
    assert [c.best for c in rows[0].cells] == [False, False, False, True, True]
    assert [c.best for c in rows[1].cells] == [False, False, True, False, False]


def test_values_that_read_the_same_are_equally_good() -> None:
    near = [EntryResult(Entry(name, "net"), (run(0, a),)) for name, a in (("a", 0.90001), ("b", 0.9), ("c", 0.5))]
    rows = table_rows(Comparison("digits", 2, (0,), tuple(near)))
    assert [row.cells[3].best for row in rows] == [True, True, False]
