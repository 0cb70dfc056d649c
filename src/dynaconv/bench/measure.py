"""Times of several forms of the same work, taken in turns in one process so that they share its ups and downs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median, quantiles
from time import perf_counter

__all__ = ["Effort", "Timing", "in_turns"]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        least: timed runs that every form gets.
        most: timed runs that no form exceeds.
        seconds: a form gets no further run after so long.
        long: a first run of so many seconds is its own warm-up, and counts.
        hopeless: a form so many times slower than the fastest gets one timed run only; `None`: all get the same.
    """

    least: int = 5
    most: int = 30
    seconds: float = 3.0
    long: float = 5.0
    hopeless: float | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds of one run.

    Attributes:
        median: of all timed runs.
        low: the first quartile.
        high: the third quartile.
        runs: how many were timed.
    """

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """The summary of at least one run."""
        if len(seconds) == 1:
            return cls(seconds[0], seconds[0], seconds[0], 1)
        low, _, high = quantiles(seconds, n=4, method="inclusive")
        return cls(median(seconds), low, high, len(seconds))


def in_turns(work: Mapping[str, Callable[[], object]], effort: Effort) -> dict[str, Timing]:
    """Time every form of some work: a warm-up each, then round by round, the first form changing every round.

    The warm-up is two runs, since what serves again and again may be prepared by the second one.

    Args:
        work: name of the form → one run of it.
        effort: how long to measure.

    Returns:
        A timing per form, in the order given.
    """
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        first = {name: _warmed(run, effort) for name, run in work.items()}
        taken = {name: [once] if once >= effort.long else [] for name, once in first.items()}
        fastest = min(first.values())
        own = {name: _effort_for(once, fastest, effort) for name, once in first.items()}
        waiting = [name for name in work if _wants_more(taken[name], own[name])]
        while waiting:
            for name in waiting:
                taken[name].append(_timed(work[name]))
            waiting = [name for name in waiting[1:] + waiting[:1] if _wants_more(taken[name], own[name])]
    finally:
        if enabled:
            gc.enable()
    return {name: Timing.of(seconds) for name, seconds in taken.items()}


def _effort_for(once: float, fastest: float, effort: Effort) -> Effort:
    hopeless = effort.hopeless is not None and once > effort.hopeless * fastest
    return replace(effort, least=1, most=1) if hopeless else effort


def _wants_more(taken: list[float], effort: Effort) -> bool:
    return len(taken) < effort.least or (len(taken) < effort.most and sum(taken) < effort.seconds)


def _warmed(run: Callable[[], object], effort: Effort) -> float:
    """How long the last run of a warm-up took."""
    once = _timed(run)
    return once if once >= effort.long else _timed(run)


def _timed(run: Callable[[], object]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start
