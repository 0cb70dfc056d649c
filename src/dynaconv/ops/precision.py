"""Autocast for operators that autocast does not know."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["autocast_together"]


def autocast_together(x: Tensor, *others: Tensor | None) -> tuple[Tensor, list[Tensor | None]]:
    """All tensors in the type that autocast gives a convolution; unchanged where autocast is off or numbers are float64."""
    device = x.device.type
    if not torch.is_autocast_enabled(device) or x.dtype == torch.float64:
        return x, list(others)
    dtype = torch.get_autocast_dtype(device)
    return x.to(dtype), [None if tensor is None else tensor.to(dtype) for tensor in others]
