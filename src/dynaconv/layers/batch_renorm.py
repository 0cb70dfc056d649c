"""Batch renormalisation: batch normalisation whose training output uses the running statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError, ShapeError

__all__ = ["BatchRenorm2d"]


class BatchRenorm2d(nn.Module):
    """`y = γ (r (x − μ_B)/σ_B + d) + β` in training, with `r = clip(σ_B/σ)`, `d = clip((μ_B − μ)/σ)` held constant.

    Without clipping this equals `γ (x − μ)/σ + β`, which is what evaluation computes, with the gradients of batch
    normalisation. r stays within [1/r_max, r_max] and d within ±d_max; both limits open with the number of samples
    seen, from plain batch normalisation (1 and 0) on. σ is a standard deviation, `√(variance + eps)`.

    Args:
        channels: C.
        eps: added to the variance.
        momentum: share of a batch's statistics in the running ones.
        r_max: final limit of r, >= 1.
        d_max: final limit of d, >= 0.
        growth: by how much both limits open per sample.
        device: where the parameters live.
        dtype: their type.

    Attributes:
        running_mean: μ, `(C,)`, starts at 0.
        running_std: σ, `(C,)`, starts at 1.
        samples_seen: number of training samples so far; tells how far the limits are open.

    Raises:
        ArgumentError: a limit is out of its range.

    Source: Ioffe, Batch Renormalization, 1702.03275, Algorithm 1. The limits open per sample as in
    mhorton19/CNN-Kernel-Attention; that code keeps its statistics outside the state dict, starts μ at 1 and σ at 0, and
    updates both in evaluation too: none of this is done here.

    Example:
        >>> norm = BatchRenorm2d(8)
        >>> norm(torch.randn(4, 8, 5, 5)).shape
        torch.Size([4, 8, 5, 5])
    """

    running_mean: Tensor
    running_std: Tensor
    samples_seen: Tensor

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        momentum: float = 0.01,
        r_max: float = 3.0,
        d_max: float = 5.0,
        growth: float = 1e-4,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not r_max >= 1:
            raise ArgumentError("r_max", r_max, "a number >= 1")
        if not d_max >= 0:
            raise ArgumentError("d_max", d_max, "a number >= 0")
        self.channels, self.eps, self.momentum = channels, eps, momentum
        self.r_max, self.d_max, self.growth = r_max, d_max, growth
        self.weight = nn.Parameter(torch.ones(channels, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))
        self.register_buffer("running_mean", torch.zeros(channels, device=device, dtype=dtype))
        self.register_buffer("running_std", torch.ones(channels, device=device, dtype=dtype))
        self.register_buffer("samples_seen", torch.tensor(0, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, C, H, W)` → the same shape.

        Raises:
            ShapeError: not four dimensions, or another number of channels.
        """
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ShapeError("x", x.shape, f"(B, {self.channels}, H, W)")
        if not self.training:
            return self._affine((x - _column(self.running_mean)) / _column(self.running_std))
        # Statistics of low-precision activations would lose most of their digits.
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(values, dim=(0, 2, 3), correction=0)
        std = (variance + self.eps).sqrt()
        r, d = self._corrections(mean.detach(), std.detach())
        normalised = (values - _column(mean)) / _column(std) * _column(r) + _column(d)
        self._update(mean.detach(), std.detach(), x.shape[0])
        return self._affine(normalised.to(x.dtype))

    def _corrections(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """r and d within their present limits."""
        opened = self.samples_seen * self.growth
        r_limit = (1 + opened).clamp(max=self.r_max)
        d_limit = opened.clamp(max=self.d_max)
        r = (std / self.running_std).clamp(1 / r_limit, r_limit)
        d = ((mean - self.running_mean) / self.running_std).clamp(-d_limit, d_limit)
        return r, d

    def _update(self, mean: Tensor, std: Tensor, samples: int) -> None:
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_std.lerp_(std.to(self.running_std.dtype), self.momentum)
            self.samples_seen.add_(samples)

    def _affine(self, x: Tensor) -> Tensor:
        return x * _column(self.weight) + _column(self.bias)

    def extra_repr(self) -> str:
        """The arguments."""
        limits = f"r_max={self.r_max}, d_max={self.d_max}, growth={self.growth}"
        return f"{self.channels}, eps={self.eps}, momentum={self.momentum}, {limits}"


def _column(values: Tensor) -> Tensor:
    """`(C,)` → `(C, 1, 1)`."""
    return values.reshape(-1, 1, 1)
