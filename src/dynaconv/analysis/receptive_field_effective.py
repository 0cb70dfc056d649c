"""Where the gradients of a unit in the middle of a layer's map go."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.analysis.receptive_field_trace import watched

__all__ = ["Energies", "centre", "energies", "shortest_span"]

Energies = dict[int, Tensor]
"""Number of a call -> `(*S)`, each pixel's part of the gradients' energy."""


def centre(size: Sequence[int]) -> tuple[int, ...]:
    """The unit in the middle of a map; the one before the middle where a side is even."""
    return tuple((n - 1) // 2 for n in size)


def energies(model: nn.Module, images: Tensor, wanted: set[int]) -> Energies:
    """The energy of the image's gradient for random sums of the channels of a call's middle unit.

    Args:
        model: in evaluation mode.
        images: `(B, C, *S)`; every image counts alike.
        wanted: which calls of the watched modules, by their number in the order in which they end.
    """
    images = images.detach().requires_grad_()
    outputs: dict[int, Tensor] = {}
    numbers = count()

    def after(_module: nn.Module, _args: Any, output: Any) -> Tensor | None:
        number = next(numbers)
        if number not in wanted:
            return None
        outputs[number] = output
        # The model goes on with a copy, which it may change in place.
        copy: Tensor = output.clone()
        return copy

    with ExitStack() as hooks, torch.enable_grad():
        for module in watched(model).values():
            hooks.callback(module.register_forward_hook(after).remove)
        model(images)
    return {number: _energy(output, images) for number, output in outputs.items()}


def _energy(output: Tensor, images: Tensor) -> Tensor:
    seed = torch.zeros_like(output)
    middle: tuple[Any, ...] = (..., *centre(output.shape[2:]))
    seed[middle] = torch.randn(output.shape[:2], generator=torch.Generator().manual_seed(0)).to(output)
    (gradient,) = torch.autograd.grad(output, images, seed, retain_graph=True, allow_unused=True)
    if gradient is None:
        return torch.zeros(images.shape[2:])
    energy = gradient.double().square().sum(1)
    total = energy.flatten(1).sum(1).clamp(min=torch.finfo(torch.float64).tiny)
    return (energy / total.reshape(-1, *(1,) * (energy.dim() - 1))).mean(0).cpu()


def shortest_span(energy: Tensor, share: float) -> int:
    """The least number of neighbours in `energy: (N,)` that hold `share` of its sum."""
    reached = torch.cat([energy.new_zeros(1), energy.cumsum(0)])
    # Rounding must not ask for more than there is.
    goal = reached[:-1] + share * reached[-1] * (1 - 1e-12)
    ends = torch.searchsorted(reached, goal)
    starts = torch.arange(len(energy))
    inside = ends <= len(energy)
    return int((ends - starts)[inside].min())
