"""Normalisations of maps, told as the affine map that they are, so that a kernel can take them in."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import move_running
from dynaconv.errors import ArgumentError

__all__ = ["MapAffine"]


class MapAffine(nn.Module):
    """`y = scale ⊙ x + shift` for maps of C channels, from the statistics of the maps themselves.

    `"batch"` is batch normalisation: the statistics of the batch in training, which also move the running ones, and the
    running ones in evaluation and where a channel has a single value. `"layer"` takes the statistics of each sample
    over channels and positions.

    Args:
        norm: `"batch"` or `"layer"`.
        channels: C.
        device: where the parameters live.
        dtype: their type.

    Attributes:
        momentum: how far one batch moves the running statistics, as in `nn.BatchNorm2d`.
        running_mean: `(C,)`; `"batch"` alone.
        running_var: `(C,)`; `"batch"` alone.
        num_batches_tracked: training batches so far; `"batch"` alone.

    Raises:
        ArgumentError: no such normalisation.

    Example:
        >>> norm, x = MapAffine("batch", 3), torch.randn(4, 3, 5)
        >>> scale, shift = norm(x)
        >>> (scale[..., None] * x + shift[..., None]).mean((0, 2)).abs().max() < 1e-6
        tensor(True)
    """

    EPS = 1e-5

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        norm: Literal["batch", "layer"],
        channels: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "layer"):
            raise ArgumentError("norm", norm, '"batch", "layer" or None')
        self.norm = norm
        self.momentum = 0.1
        self.weight = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))
        if norm == "batch":
            self.register_buffer("running_mean", torch.zeros(channels, device=device, dtype=dtype))
            self.register_buffer("running_var", torch.ones(channels, device=device, dtype=dtype))
            self.register_buffer("num_batches_tracked", torch.tensor(0, device=device))

    @property
    def reads_maps(self) -> bool:
        """Whether it needs the maps at all; in evaluation batch normalisation does not."""
        return self.norm == "layer" or self.training

    def forward(self, maps: Tensor | None) -> tuple[Tensor, Tensor]:
        """The scale and the shift, each `(1, C)` or, as `"layer"` has it, `(B, C)`.

        Args:
            maps: `(B, C, *S)`; may be `None` unless `reads_maps`.
        """
        mean, variance = self._statistics(maps)
        scale = self.weight * (variance + self.EPS).rsqrt()
        return scale, self.bias - mean * scale

    def _statistics(self, maps: Tensor | None) -> tuple[Tensor, Tensor]:
        if not self.reads_maps:
            return self.running_mean[None], self.running_var[None]
        assert maps is not None, "statistics of the maps are needed"
        # Statistics of half-precision maps would lose most of their digits.
        values = maps.flatten(2).to(torch.promote_types(maps.dtype, torch.float32))
        if self.norm == "layer":
            mean = values.mean((1, 2))[:, None]
            return mean, (values - mean[..., None]).square().mean((1, 2))[:, None]
        count = values.shape[0] * values.shape[2]
        if count <= 1:
            return self.running_mean[None], self.running_var[None]
        variance, mean = torch.var_mean(values, dim=(0, 2), correction=0)
        move_running(self, mean, variance, count, self.momentum)
        return mean[None], variance[None]

    def extra_repr(self) -> str:
        """The kind."""
        return f"{self.norm!r}, {self.weight.shape[0]}"
