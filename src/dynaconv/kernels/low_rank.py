"""A scaled static kernel plus a low-rank term: cheap to convolve with, without ever being written out."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["LowRankKernel"]


@dataclass(frozen=True, eq=False)
class LowRankKernel:
    """A kernel per sample: a static one, scaled, plus a product of thin matrices at its centre tap.

    Sample b's kernel is `out_scale[b] ⊙ weight + left · middle[b] · right`, the product standing at tap
    `(k - 1) // 2` of every dimension, in each of the g groups.

    Attributes:
        weight: `(O, I/g, *k)`.
        out_scale: `(B, O)`; does not scale the bias.
        left: P, `(O, L)`.
        middle: Φ, `(B, g, L, L)`.
        right: Qᵀ, `(g·L, I/g)`.
        bias: `(B, O)`, `(O,)` or `None`.
    """

    weight: Tensor
    out_scale: Tensor
    left: Tensor
    middle: Tensor
    right: Tensor
    bias: Tensor | None = None

    def dense(self) -> Tensor:
        """Every sample's kernel, written out: `(B, O, I/g, *k)`."""
        size = self.weight.shape[2:]
        batch, groups, rank, _ = self.middle.shape
        left, right = self.left.unflatten(0, (groups, -1)), self.right.unflatten(0, (groups, rank))
        fused = (left @ self.middle @ right).reshape(batch, *self.weight.shape[:2], *(1 for _ in size))
        # F.pad counts from the last dimension.
        around = [n for k in reversed(size) for n in ((k - 1) // 2, k - 1 - (k - 1) // 2)]
        scale = self.out_scale.reshape(*self.out_scale.shape, *(1 for _ in self.weight.shape[1:]))
        return torch.add(scale * self.weight, F.pad(fused, around))

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions: the two convolutions and the small product."""
        thin = self.left.numel() + prod(self.middle.shape[1:]) + self.right.numel()
        return positions * (self.weight.numel() + thin)
