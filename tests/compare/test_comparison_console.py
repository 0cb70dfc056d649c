from __future__ import annotations

from io import StringIO

from rich.console import Console

from dynaconv.compare import Comparison, Entry, EntryResult, EpochPoint, SeedRun, print_comparison


def printed(comparison: Comparison) -> str:
    text = StringIO()
    print_comparison(comparison, Console(file=text, width=80))
    return text.getvalue()


def test_the_table_fits_a_terminal_and_cuts_nothing() -> None:
    run = SeedRun(0, 1_234_567, 987_650_000, 0.1234, 0.9, 0.8, (EpochPoint(1, 2.0, 0.5, 0.4),))
    entry = EntryResult(Entry("kernel-weighted", "net"), (run,))
    text = printed(Comparison("digits", 1, (0,), (entry,)))
    assert "digits, 1 epoch, 1 seed" in text
    assert "…" not in text
    for shown in ("kernel-weighted", "1,234,567", "987.65 M", "123.4 ms", "90.0 %", "80.0 %", "multiply-adds"):
        assert shown in text


def test_several_seeds_say_what_the_spread_is() -> None:
    runs = tuple(SeedRun(seed, 1, 1, 0.1, 0.9 - seed / 10, 0.8, ()) for seed in (0, 1))
    text = printed(Comparison("digits", 5, (0, 1), (EntryResult(Entry("[red]a", "net"), runs),)))
    assert "digits, 5 epochs, mean ± standard deviation of 2 seeds" in text
    assert "85.0 ± 7.1 %" in text
    assert "[red]a" in text
