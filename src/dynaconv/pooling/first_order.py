"""Heads that take every channel by itself: average, maximum, and the mean between them."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError
from dynaconv.ops.second_order.precision import widened
from dynaconv.pooling.base import Pooling

__all__ = ["AveragePool", "GeneralizedMeanPool", "MaxPool"]


class AveragePool(Pooling):
    """The average over all positions.

    Args:
        channels: C; D is the same.

    Raises:
        ArgumentError: `channels` is not an integer >= 1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def pool(self, x: Tensor) -> Tensor:
        """The average of each channel."""
        return widened(x).mean((2, 3))


class MaxPool(Pooling):
    """The maximum over all positions; equal maxima share the gradient.

    Args:
        channels: C; D is the same.

    Raises:
        ArgumentError: `channels` is not an integer >= 1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def pool(self, x: Tensor) -> Tensor:
        """The maximum of each channel."""
        return widened(x.amax((2, 3)))


class GeneralizedMeanPool(Pooling):
    """`(mean_p x_p^q)^(1/q)`: the average at q = 1, nearer to the maximum the larger q is.

    Args:
        channels: C; D is the same.
        power: q at the start, > 0.
        learnt: whether q is trained.
        eps: > 0; values below it count as it.
        device: where q lives.
        dtype: its type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Radenović, Tolias, Chum, 1711.02512, section 3.2, one power for all channels.

    Example:
        >>> pool = GeneralizedMeanPool(2, power=1.0)
        >>> pool(torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])).detach()
        tensor([[2., 2.]])
    """

    def __init__(
        self,
        channels: int,
        *,
        power: float = 3.0,
        learnt: bool = True,
        eps: float = 1e-6,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels, channels)
        for name, value in (("power", power), ("eps", eps)):
            if not (isfinite(value) and value > 0):
                raise ArgumentError(name, value, "a finite number > 0")
        self.eps = eps
        self.power = nn.Parameter(torch.tensor(float(power), device=device, dtype=dtype), requires_grad=learnt)

    def pool(self, x: Tensor) -> Tensor:
        """The generalised mean of each channel."""
        x, power = widened(x).clamp(min=self.eps), widened(self.power)
        # Powers of numbers up to 1 stay in range; the mean does not depend on this scale, so it is a constant.
        top = x.detach().amax((2, 3), keepdim=True)
        return (x / top).pow(power).mean((2, 3)).pow(1 / power) * top[..., 0, 0]
