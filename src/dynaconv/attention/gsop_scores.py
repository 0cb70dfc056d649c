"""From a covariance to scores: how GSoP blocks read what varies with what."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm

__all__ = ["CovarianceScores", "pointwise"]

_FILTERS = 4


class CovarianceScores(nn.Module):
    """Row-wise convolution of a covariance Σ, then a linear map to scores.

    Each row of Σ, what one channel or position has to do with all others, is normalised and meets its own four filters
    of full length: `Q_in = Σ_j K_nij Σ_ij`.

    Args:
        size: d of the covariance.
        out_features: number of scores.
        activation: between the row-wise convolution and the linear map.
        norm: of the covariance, per row: `"batch"`, `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: no such normalisation.
    """

    def __init__(
        self,
        size: int,
        out_features: int,
        activation: nn.Module,
        *,
        norm: BranchNorm,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.norm = map_norm(norm, size, device=device, dtype=dtype)
        self.rows = nn.Conv1d(size, _FILTERS * size, size, groups=size, device=device, dtype=dtype)
        self.activation = activation
        self.linear = nn.Linear(_FILTERS * size, out_features, device=device, dtype=dtype)
        for weight in (self.rows.weight, self.linear.weight):
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")

    def forward(self, covariance: Tensor) -> Tensor:
        """`(B, d, d)` → `(B, out_features)`."""
        covariance = covariance.to(self.rows.weight.dtype)
        # To the normalisation it is a map d pixels high and one wide, with d channels.
        rows = self.norm(covariance.unsqueeze(3)).squeeze(3)
        scores: Tensor = self.linear(self.activation(self.rows(rows).flatten(1)))
        return scores


def pointwise(
    channels: int,
    reduced_channels: int,
    stride: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> nn.Conv2d:
    """The 1×1 convolution that GSoP blocks begin with, as its authors start it."""
    conv = nn.Conv2d(channels, reduced_channels, 1, stride=stride, device=device, dtype=dtype)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv
