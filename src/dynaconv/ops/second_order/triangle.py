"""The upper triangle of symmetric matrices as a vector."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.ops.second_order.checks import check_square

__all__ = ["upper_triangle"]


def upper_triangle(a: Tensor) -> Tensor:
    """The upper triangle, diagonal included, row after row; no entry is scaled.

    Args:
        a: `(..., d, d)`.

    Returns:
        `(..., d (d + 1) / 2)`.

    Raises:
        ShapeError: `a` is not square.
        ArgumentError: `a` is not of a floating-point type.

    Source: Li et al., 1712.01034, section 3.1.

    Example:
        >>> upper_triangle(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
        tensor([1., 2., 3.])
    """
    check_square(a)
    size = a.shape[-1]
    rows, columns = torch.triu_indices(size, size, device=a.device)
    return a.flatten(-2).index_select(-1, rows * size + columns)
