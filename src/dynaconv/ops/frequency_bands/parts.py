"""The parts of an image below some frequencies: projections, each a product with a small matrix on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

__all__ = ["LowParts"]


@dataclass(frozen=True)
class LowParts:
    """The projections onto what lies below every edge.

    Attributes:
        edges: integers >= 2, rising: lower and lower frequencies.
        rows: the waves down an image below the first edge, `(H, 2·(highest + 1))`.
        columns: those across, `(W, 2·(highest + 1))`.
    """

    edges: tuple[int, ...]
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, edges: Sequence[int], like: Tensor) -> LowParts:
        """For images with the size, the type and the device of `like: (B, C, H, W)`."""
        rows, columns = (_waves(size, _highest(size, edges[0]), like) for size in like.shape[2:])
        return cls(tuple(edges), rows, columns)

    def of_image(self, x: Tensor) -> list[Tensor]:
        """The parts of `x: (B, C, H, W)` below every edge, from the coefficients of its slow waves."""
        waves = self._waves_of(x, self.rows.shape[1], self.columns.shape[1])
        return [self._image_of(waves[..., :down, :across]) for down, across in self._counts()]

    def total(self, images: Sequence[Tensor]) -> Tensor:
        """The sum of one image's part below every edge, an image for each: the adjoint of `of_image`."""
        total: Tensor | None = None
        for image, (down, across) in zip(images, self._counts(), strict=True):
            waves = self._waves_of(image, down, across)
            if total is None:
                total = waves
            else:
                total[..., :down, :across] += waves
        assert total is not None
        return self._image_of(total)

    def _counts(self) -> list[tuple[int, int]]:
        """How many waves down and across lie below every edge."""
        # Not their `len`, which would fix a size that an exporter leaves free.
        height, width = self.rows.shape[0], self.columns.shape[0]
        return [(2 * (_highest(height, edge) + 1), 2 * (_highest(width, edge) + 1)) for edge in self.edges]

    # Transposed in between: a product with the last dimension is one large product.
    def _waves_of(self, x: Tensor, down: int, across: int) -> Tensor:
        return ((x @ self.columns[:, :across]).transpose(2, 3) @ self.rows[:, :down]).transpose(2, 3)

    def _image_of(self, waves: Tensor) -> Tensor:
        down, across = waves.shape[2:]
        return (waves.transpose(2, 3) @ self.rows[:, :down].T).transpose(2, 3) @ self.columns[:, :across].T


def _highest(size: int, edge: int) -> int:
    """The most periods on `size` pixels that are at most one in `2 * edge`."""
    return size // (2 * edge)


def _waves(size: int, highest: int, like: Tensor) -> Tensor:
    """Cosine and sine of every frequency from none to the highest, `(size, 2·(highest + 1))`.

    The first sine is zero, so that there is a column more than needed but never a matrix without columns; the others
    are orthonormal.
    """
    position = torch.arange(size, device=like.device)[:, None]
    frequency = torch.arange(highest + 1, device=like.device)
    # Whole periods are taken off while the numbers are integers, so that angles are exact. Exporters do not know the
    # remainder by a size that is free.
    steps = position * frequency
    angle = (steps - steps // size * size).to(like.dtype) / size * (2 * pi)
    length = (torch.where(frequency == 0, 1, 2).to(like.dtype) / size).sqrt()
    return (torch.stack([angle.cos(), angle.sin()], dim=2) * length[:, None]).flatten(1)
