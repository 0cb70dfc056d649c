"""The definitions, sample by sample in plain operations: slow, obviously right, differentiable any number of times."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["covariance_pool", "matrix_sqrt", "upper_triangle"]


def covariance_pool(x: Tensor) -> Tensor:
    """`X Ī Xᵀ` with `Ī = (1/N)(I − 11ᵀ/N)` for every sample's `X (C, N)`: `(B, C, *S)` → `(B, C, C)`."""
    positions = x.shape[2:].numel()
    identity = torch.eye(positions, dtype=x.dtype, device=x.device)
    centring = (identity - 1 / positions) / positions
    return torch.stack([sample @ centring @ sample.T for sample in x.flatten(2)])


def matrix_sqrt(a: Tensor, iterations: int) -> Tensor:
    """Trace normalisation, n coupled Newton–Schulz steps, compensation: `(B, d, d)` → `(B, d, d)`."""
    return torch.stack([_matrix_sqrt(matrix, iterations) for matrix in a])


def _matrix_sqrt(a: Tensor, iterations: int) -> Tensor:
    identity = torch.eye(len(a), dtype=a.dtype, device=a.device)
    y, z = a / a.trace(), identity
    for _ in range(iterations):
        t = (3 * identity - z @ y) / 2
        y, z = y @ t, t @ z
    return a.trace().sqrt() * y


def upper_triangle(a: Tensor) -> Tensor:
    """The entries on and above the diagonal, row after row: `(B, d, d)` → `(B, d (d + 1) / 2)`."""
    size = a.shape[-1]
    return torch.stack([a[:, i, j] for i in range(size) for j in range(i, size)], dim=1)
