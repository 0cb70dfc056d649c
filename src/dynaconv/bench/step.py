"""One run of a network: inference, or a training step."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["inference", "training_step"]

# So small that the weights stay where they are, however often a step is timed.
_LEARNING_RATE = 1e-5


def inference(model: nn.Module, x: Tensor) -> Callable[[], object]:
    """A forward pass without gradients, in evaluation mode."""

    def run() -> None:
        with torch.no_grad():
            model(x)

    return run


def training_step(model: nn.Module, x: Tensor, classes: Tensor) -> Callable[[], object]:
    """A forward pass, a backward pass and a step of stochastic gradient descent."""
    optimizer = torch.optim.SGD(model.parameters(), lr=_LEARNING_RATE)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), classes).backward()
        optimizer.step()

    return run
