"""Temperatures are state: saved, restored, scheduled."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from dynaconv.coefficients import Temperature, TemperatureSchedule, set_temperature
from dynaconv.errors import ArgumentError


def two() -> nn.Sequential:
    return nn.Sequential(Temperature(), Temperature(0.0, start=1.0, end=0.0, zero=True))


def values(model: nn.Module) -> list[float]:
    return [float(v) for k, v in model.state_dict().items() if k.endswith("value")]


def test_the_state_dict_holds_it():
    model = nn.Sequential(Temperature())
    set_temperature(model, 7.5)
    other = nn.Sequential(Temperature())
    other.load_state_dict(model.state_dict())
    assert values(other) == values(deepcopy(model)) == [7.5]


def test_a_schedule_goes_from_each_layers_start_to_its_end_and_stays():
    model = two()
    schedule = TemperatureSchedule(model, steps=4)
    seen = [values(model)]
    for _ in range(6):
        schedule.step()
        seen.append(values(model))
    assert seen == [[30, 1], [22.75, 0.75], [15.5, 0.5], [8.25, 0.25], [1, 0], [1, 0], [1, 0]]


def test_a_schedule_goes_on_where_it_was_saved():
    model = two()
    schedule = TemperatureSchedule(model, steps=10)
    for _ in range(3):
        schedule.step()
    again = two()
    resumed = TemperatureSchedule(again, steps=10)
    resumed.load_state_dict(schedule.state_dict())
    assert values(again) == values(model)


def test_half_precision_scores_are_divided_in_float32():
    assert Temperature(3.0)(torch.ones(2, dtype=torch.bfloat16)).dtype == torch.float32
    assert Temperature(3.0)(torch.ones(2, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "hot", True])
def test_values_that_are_no_temperature_are_refused_and_nothing_is_set(value):
    model = nn.Sequential(Temperature(), Temperature())
    with pytest.raises(ArgumentError, match="temperature="):
        set_temperature(model, value)
    assert values(model) == [1, 1]


def test_a_share_ends_at_one_and_a_mixed_model_is_left_as_it_was():
    model = two()
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        set_temperature(model, 2.0)
    assert values(model) == [1, 0]


def test_a_model_without_a_temperature_is_refused():
    with pytest.raises(ArgumentError, match="model='Linear'"):
        set_temperature(nn.Linear(1, 1), 1.0)
    with pytest.raises(ArgumentError, match="model='Linear'"):
        TemperatureSchedule(nn.Linear(1, 1), 3)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_steps_are_whole_and_positive(steps):
    with pytest.raises(ArgumentError, match="steps="):
        TemperatureSchedule(two(), steps)
