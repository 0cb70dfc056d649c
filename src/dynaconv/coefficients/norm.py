"""Normalisation in attention branches, where a training batch may hold one value per channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError

__all__ = ["BranchBatchNorm", "BranchNorm", "branch_norm", "move_running"]

BranchNorm = Literal["batch", "layer"] | None


class BranchBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of `(B, C, *S)` that can train on a single value per channel.

    One value has no variance: `nn.BatchNorm1d` raises an error there. This one then normalises with the running
    statistics and leaves them as they are; with more values it is `nn.BatchNorm1d`, parameters and buffers included.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, *S)` → the same shape."""
        if self.training and x.shape[0] * x.shape[2:].numel() <= 1:
            mean, variance = self.running_mean, self.running_var
            y: Tensor = nn.functional.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)
            return y
        return super().forward(x)

    def as_affine(self, count: int, statistics: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """The scale and the shift, each `(C,)`, that it is for maps which need not be there.

        In training it moves its running statistics, as it does with maps.

        Args:
            count: how many values a channel has.
            statistics: tells mean and variance of every channel; asked only if they are needed.
        """
        mean, variance = self.running_mean, self.running_var
        if mean is None or variance is None or (self.training and count > 1):
            mean, variance = statistics()
            if self.running_mean is not None:
                assert self.num_batches_tracked is not None
                momentum = 1 / (self.num_batches_tracked + 1) if self.momentum is None else self.momentum
                move_running(self, mean, variance, count, momentum)
        scale = (_wide(variance) + self.eps).rsqrt()
        scale = scale if self.weight is None else scale * self.weight
        shift = -mean * scale
        return scale, shift if self.bias is None else shift + self.bias

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ArgumentError("x", tuple(input.shape), "a tensor of shape (B, C, *S)")


class _Running(Protocol):
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any


def move_running(norm: _Running, mean: Tensor, variance: Tensor, count: int, momentum: float | Tensor) -> None:
    """Move running statistics towards those of a batch.

    Args:
        norm: has `running_mean`, `running_var` and `num_batches_tracked`.
        mean: `(C,)`.
        variance: `(C,)`, of the batch itself.
        count: how many values a channel has; the running variance is the estimate for all values there could be.
        momentum: share of the batch.
    """
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        for running, found in ((norm.running_mean, mean), (norm.running_var, variance * (count / (count - 1)))):
            share = momentum.to(running.dtype) if isinstance(momentum, Tensor) else momentum
            running.lerp_(found.to(running.dtype), share)


def _wide(values: Tensor) -> Tensor:
    """In float32 if the type is shorter."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def branch_norm(
    norm: BranchNorm,
    channels: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """The normalisation of `(B, C)` inside an attention branch, by name.

    Args:
        norm: `"batch"` as most methods publish it, `"layer"` where batches are small, or `None`.
        channels: C.
        device: where its parameters live.
        dtype: their type.

    Raises:
        ArgumentError: no such normalisation.
    """
    if norm == "batch":
        return BranchBatchNorm(channels, device=device, dtype=dtype)
    if norm == "layer":
        return nn.LayerNorm(channels, device=device, dtype=dtype)
    if norm is None:
        return nn.Identity()
    raise ArgumentError("norm", norm, '"batch", "layer" or None')
