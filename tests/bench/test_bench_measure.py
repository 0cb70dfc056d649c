"""How times are taken: in turns, everyone at least once, the slow ones not too often."""

from __future__ import annotations

from time import sleep

import pytest

from dynaconv.bench.measure import Effort, Timing, in_turns
from dynaconv.bench.memory import MeasurementError, peak_of_step
from dynaconv.bench.networks import NetworkCase


def test_forms_take_turns_and_the_first_changes() -> None:
    order: list[str] = []
    work = {name: (lambda name=name: order.append(name)) for name in "abc"}
    found = in_turns(work, Effort(least=3, most=3, seconds=9))
    assert "".join(order) == "aabbcc" + "abc" + "bca" + "cab"
    assert [timing.runs for timing in found.values()] == [3, 3, 3]


def test_a_hopeless_form_runs_once_after_its_warm_up() -> None:
    work = {"fast": lambda: None, "slow": lambda: sleep(0.02)}
    found = in_turns(work, Effort(least=4, most=4, hopeless=5))
    assert found["slow"].runs == 1
    assert found["fast"].runs == 4


def test_a_long_run_is_its_own_warm_up() -> None:
    runs: list[int] = []
    found = in_turns({"long": lambda: runs.append(1) or sleep(0.02)}, Effort(least=1, most=1, long=0.01))
    assert len(runs) == found["long"].runs == 1


def test_time_that_is_left_is_used() -> None:
    found = in_turns({"short": lambda: sleep(0.001), "long": lambda: sleep(0.05)}, Effort(1, 4, seconds=0.02))
    assert found["short"].runs == 4
    assert found["long"].runs == 1


def test_timing_is_median_and_quartiles() -> None:
    assert Timing.of([4.0, 1.0, 2.0, 3.0, 5.0]) == Timing(3.0, 2.0, 4.0, 5)
    assert Timing.of([2.0]) == Timing(2.0, 2.0, 2.0, 1)


def test_a_step_in_a_process_that_fails_is_an_error() -> None:
    with pytest.raises(MeasurementError, match=r"peak memory of nowhere.*name='nowhere'"):
        peak_of_step(NetworkCase("nowhere", "seed", 0, 2, 32), "ours")
