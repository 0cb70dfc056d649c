"""Temperature as state: saved with the weights, set by one call, annealed by one call a step."""

from __future__ import annotations

from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError

__all__ = ["Temperature", "TemperatureSchedule", "set_temperature", "temperatures"]


class Temperature(nn.Module):
    """The temperature of an attention: a number kept as a buffer, so that checkpoints hold it.

    Args:
        value: the temperature now.
        start: where a schedule begins, if it is not told.
        end: where it ends.
        zero: whether 0 is allowed; then so is nothing above 1, as for a share rather than a divisor.
        device: where the buffer lives.

    Raises:
        ArgumentError: a temperature is not allowed.

    Example:
        >>> Temperature(2.0)(torch.tensor([4.0, 6.0]))
        tensor([2., 3.])
    """

    value: Tensor

    def __init__(
        self,
        value: float = 1.0,
        *,
        start: float = 30.0,
        end: float = 1.0,
        zero: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.zero = zero
        self.start, self.end = self._checked(start), self._checked(end)
        self.register_buffer("value", torch.tensor(self._checked(value), device=device))

    def set(self, value: float) -> None:
        """Change the temperature.

        Raises:
            ArgumentError: it is not allowed.
        """
        self.value.fill_(self._checked(value))

    def forward(self, scores: Tensor) -> Tensor:
        """Scores divided by the temperature, in at least float32: half precision would lose them before a softmax."""
        return scores.to(torch.promote_types(scores.dtype, torch.float32)) / self.value

    def extra_repr(self) -> str:
        """The number."""
        return f"{float(self.value):g}"

    def _checked(self, value: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ArgumentError("temperature", value, "a finite number")
        if self.zero and not 0 <= value <= 1:
            raise ArgumentError("temperature", value, "a number from 0 to 1")
        if not self.zero and value <= 0:
            raise ArgumentError("temperature", value, "a number > 0")
        return float(value)


def temperatures(model: nn.Module) -> list[Temperature]:
    """All temperatures in a model, in order."""
    return [module for module in model.modules() if isinstance(module, Temperature)]


def set_temperature(model: nn.Module, temperature: float) -> None:
    """Give every attention in a model the same temperature.

    Args:
        model: holds layers with a temperature.
        temperature: high makes the coefficients alike, low makes them choose; a share from 0 to 1 in kernel warehouses.

    Raises:
        ArgumentError: the model has no temperature, or the value is not allowed; then nothing is changed.
    """
    found = temperatures(model)
    if not found:
        raise ArgumentError("model", type(model).__name__, "a model with at least one layer that has a temperature")
    for one in found:
        one._checked(temperature)
    for one in found:
        one.set(temperature)


class TemperatureSchedule:
    """Anneals every temperature of a model linearly, one call a step.

    The first temperature is set at once; call `step` after every optimiser step; save `state_dict` with the others.

    Args:
        model: holds layers with a temperature.
        steps: after so many steps the end is reached, and kept.
        start: the first temperature; every layer's own by default (30, as published; 1 in kernel warehouses).
        end: the last; every layer's own by default (1; 0 in kernel warehouses).

    Raises:
        ArgumentError: `steps` is not an integer >= 1, the model has no temperature, or one is not allowed.

    Source: Chen et al., Dynamic Convolution, CVPR 2020, 1912.03458 (30 to 1 over ten epochs).

    Example:
        >>> layer = nn.Sequential(Temperature())
        >>> schedule = TemperatureSchedule(layer, steps=2)
        >>> schedule.step()
        >>> float(layer[0].value)
        15.5
    """

    def __init__(self, model: nn.Module, steps: int, *, start: float | None = None, end: float | None = None) -> None:
        check_count("steps", steps)
        found = temperatures(model)
        if not found:
            raise ArgumentError("model", type(model).__name__, "a model with at least one layer that has a temperature")
        self.steps, self.position = steps, 0
        self._ranges = [
            (t, t._checked(t.start if start is None else start), t._checked(t.end if end is None else end))
            for t in found
        ]
        self._apply()

    def step(self) -> None:
        """Go one step on."""
        self.position += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """How far the schedule is."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go where a saved schedule was, and set the temperatures."""
        self.position = int(state["position"])
        self._apply()

    def _apply(self) -> None:
        share = min(self.position / self.steps, 1.0)
        for temperature, start, end in self._ranges:
            temperature.set(start + (end - start) * share)
