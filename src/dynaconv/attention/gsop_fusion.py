"""Channel-wise and position-wise global second-order pooling together: average, maximum, concatenation."""

from __future__ import annotations

from abc import abstractmethod
from math import gcd, log2
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from dynaconv.attention.base import AttentionBlock
from dynaconv.attention.gsop_channel import GSoPChannel
from dynaconv.attention.gsop_position import GSoPPosition
from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm
from dynaconv.errors import ArgumentError

__all__ = ["GSoPAverage", "GSoPConcat", "GSoPFusion", "GSoPMax"]

Total = Literal["mean", "sum"]


class GSoPFusion(AttentionBlock):
    """What fusions share: both blocks on the same map.

    Args:
        channels: C.
        reduced_channels: d of both blocks.
        stride: of the channel-wise block's 1×1 convolution.
        grid_size: cells per side of the position-wise block.
        norm: of both blocks, `"batch"` (the authors'), `"layer"` or `None`.
        as_published: see `GSoPPosition`.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduced_channels: int = 128,
        stride: int = 1,
        grid_size: int = 8,
        norm: BranchNorm = "batch",
        as_published: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        shared: dict[str, Any] = {"reduced_channels": reduced_channels, "norm": norm, "device": device, "dtype": dtype}
        self.channel = GSoPChannel(channels, stride=stride, **shared)
        self.position = GSoPPosition(channels, grid_size=grid_size, as_published=as_published, **shared)
        self._make_fusion(norm, device, dtype)

    def _make_fusion(self, norm: BranchNorm, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """What the fusion learns; nothing by default."""

    @abstractmethod
    def fuse(self, channel: Tensor, position: Tensor) -> Tensor:
        """One map from the two blocks' outputs, all `(B, C, H, W)`."""

    def attend(self, x: Tensor) -> Tensor:
        """The two blocks' outputs, fused."""
        return self.fuse(self.channel(x), self.position(x))


class GSoPAverage(GSoPFusion):
    """The mean of a channel-wise and a position-wise block.

    Args:
        channels: C.
        total: `"mean"`, or `"sum"`: what the authors call the average and compute as a sum. By default `"sum"` with
            `as_published`, else `"mean"`.
        reduced_channels: see `GSoPFusion`, like all that follow.
        stride: see `GSoPFusion`.
        grid_size: see `GSoPFusion`.
        norm: see `GSoPFusion`.
        as_published: see `GSoPFusion`.
        device: see `GSoPFusion`.
        dtype: see `GSoPFusion`.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Gao, Xie, Wang, Li, 1811.12006, section 3.2; the authors' code, option `'+'`.
    """

    def __init__(
        self,
        channels: int,
        *,
        total: Total | None = None,
        reduced_channels: int = 128,
        stride: int = 1,
        grid_size: int = 8,
        norm: BranchNorm = "batch",
        as_published: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            channels,
            reduced_channels=reduced_channels,
            stride=stride,
            grid_size=grid_size,
            norm=norm,
            as_published=as_published,
            device=device,
            dtype=dtype,
        )
        if total is None:
            total = "sum" if as_published else "mean"
        if total not in get_args(Total):
            raise ArgumentError("total", total, f"{' or '.join(map(repr, get_args(Total)))}, or None")
        self.share = 1.0 if total == "sum" else 0.5

    def fuse(self, channel: Tensor, position: Tensor) -> Tensor:
        """The mean or the sum."""
        return self.share * (channel + position)


class GSoPMax(GSoPFusion):
    """The larger of a channel-wise and a position-wise block's outputs, element by element; see `GSoPFusion`.

    Source: Gao, Xie, Wang, Li, 1811.12006, section 3.2; the authors' code, option `'M'`.
    """

    def fuse(self, channel: Tensor, position: Tensor) -> Tensor:
        """The maximum."""
        return torch.maximum(channel, position)


class GSoPConcat(GSoPFusion):
    """A channel-wise and a position-wise block side by side, brought back to C channels by a convolution and BN.

    The convolution is the sum of one over each block's output, in groups of 64 channels. Its kernel is k×1, high and
    narrow as in the authors' code: k is 11, 9, 7, 5 for 256, 512, 1024, 2048 channels. See `GSoPFusion`;
    `norm` is of the output too.

    Source: Gao, Xie, Wang, Li, 1811.12006, section 3.2; the authors' code, option `'&'`.
    """

    def _make_fusion(self, norm: BranchNorm, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """The convolution and its normalisation."""
        channels = self.channels
        groups = gcd(channels, max(1, channels // 64))
        reach = max(0, int(log2(32 / groups)) + 2)
        self.from_channel, self.from_position = (
            nn.Conv2d(
                channels, channels, (2 * reach + 1, 1), padding=(reach, 0), groups=groups, device=device, dtype=dtype
            )
            for _ in range(2)
        )
        for conv in (self.from_channel, self.from_position):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        self.norm = map_norm(norm, channels, device=device, dtype=dtype)

    def fuse(self, channel: Tensor, position: Tensor) -> Tensor:
        """The convolution of both, normalised."""
        fused: Tensor = self.norm(self.from_channel(channel) + self.from_position(position))
        return fused
