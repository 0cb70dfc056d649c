"""Heads that say how channels vary together: the covariance and its square root."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients import BranchBatchNorm
from dynaconv.counts import check_count
from dynaconv.ops import covariance_pool, matrix_sqrt, upper_triangle
from dynaconv.ops.second_order.matrix_sqrt import RootAlgorithm
from dynaconv.ops.second_order.precision import widened
from dynaconv.pooling.base import Pooling

__all__ = ["CovariancePool", "IsqrtCovPool"]


class CovariancePool(Pooling):
    """The upper triangle of the channels' covariance over all positions.

    Args:
        channels: C.
        reduced_channels: d; a 1×1 convolution, batch normalisation and ReLU make so many channels first, and
            D = d (d + 1) / 2. `None`, or a number not below C: the channels are pooled as they are, d = C.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: jiangtaoxie/fast-MPN-COV, the layer without its square root.

    Example:
        >>> CovariancePool(512, reduced_channels=64)(torch.randn(2, 512, 7, 7)).shape
        torch.Size([2, 2080])
    """

    def __init__(
        self,
        channels: int,
        *,
        reduced_channels: int | None = 256,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        size = _size(channels, reduced_channels)
        super().__init__(channels, size * (size + 1) // 2)
        self.reduce = _reduction(channels, size, device, dtype)

    def pool(self, x: Tensor) -> Tensor:
        """The covariance's upper triangle, row after row."""
        return upper_triangle(covariance_pool(self.reduce(x)))


class IsqrtCovPool(Pooling):
    """The upper triangle of the square root of the channels' covariance: iSQRT-COV, or MPN-COV with power 1/2.

    Args:
        channels: C.
        reduced_channels: d; a 1×1 convolution, batch normalisation and ReLU make so many channels first, and
            D = d (d + 1) / 2. `None`, or a number not below C: the channels are pooled as they are, d = C.
        iterations: of Newton–Schulz; the authors' networks have 5, GSoP-Net2 has 3. `None`: the exact root by
            eigen-decomposition (MPN-COV).
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Li et al., 1712.01034 (iSQRT-COV) and 1703.08050 (MPN-COV); jiangtaoxie/fast-MPN-COV.

    Example:
        >>> IsqrtCovPool(2048).out_features
        32896
    """

    def __init__(
        self,
        channels: int,
        *,
        reduced_channels: int | None = 256,
        iterations: int | None = 5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        size = _size(channels, reduced_channels)
        super().__init__(channels, size * (size + 1) // 2)
        if iterations is not None:
            check_count("iterations", iterations)
        self.iterations = iterations
        self.reduce = _reduction(channels, size, device, dtype)

    def pool(self, x: Tensor) -> Tensor:
        """The root's upper triangle, row after row."""
        x = widened(self.reduce(x))
        # The root of a covariance grows as its input does: a covariance of unit numbers cannot overflow.
        scale = x.detach().abs().amax((1, 2, 3), keepdim=True)
        scale = torch.where(scale == 0, 1, scale)
        # Without a backward pass, products of matrices are as fast as any other way.
        algorithm: RootAlgorithm = "auto" if self.training or self.iterations is None else "products"
        root = matrix_sqrt(covariance_pool(x / scale), self.iterations, algorithm=algorithm)
        return upper_triangle(root) * scale[..., 0, 0]


def _size(channels: int, reduced_channels: int | None) -> int:
    """d."""
    check_count("channels", channels)
    return channels if reduced_channels is None else min(channels, check_count("reduced_channels", reduced_channels))


def _reduction(channels: int, size: int, device: torch.device | str | None, dtype: torch.dtype | None) -> nn.Module:
    """From C to d channels, or nothing."""
    if size == channels:
        return nn.Identity()
    conv = nn.Conv2d(channels, size, 1, bias=False, device=device, dtype=dtype)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, BranchBatchNorm(size, device=device, dtype=dtype), nn.ReLU())
