"""Products of matrices by the faster of the libraries that PyTorch brings."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["grouped_product"]

# Multiply-adds of a product that is worth a call of its own.
_LARGE = 2**22


def grouped_product(a: Tensor, b: Tensor) -> Tensor:
    """`a @ b` of `(g, M, K)` and `(g, K, N)`; outside of autograd.

    PyTorch multiplies float32 matrices with one library and convolves with another, which on some processors is more
    than twice as fast at the same work.
    """
    if a[:1].numel() * b.shape[2] < _LARGE or a.dtype != torch.float32 or a.device.type != "cpu" or not _has_onednn():
        return torch.bmm(a, b)
    if len(a) == 1:
        return _product(a[0], b[0]).unsqueeze(0)
    found = a.new_empty(*a.shape[:2], b.shape[2])
    for one, left, right in zip(found, a, b, strict=True):
        one.copy_(_product(left, right))
    return found


def _product(a: Tensor, b: Tensor) -> Tensor:
    """`(M, K)` times `(K, N)`."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.T, None, "none", [], "")
    return found


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)
