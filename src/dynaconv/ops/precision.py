"""Autocast for operators that autocast does not know."""

from __future__ import annotations

from typing import overload

import torch
from torch import Tensor

__all__ = ["autocast"]


@overload
def autocast(tensor: Tensor, like: Tensor) -> Tensor: ...
@overload
def autocast(tensor: None, like: Tensor) -> None: ...
def autocast(tensor: Tensor | None, like: Tensor) -> Tensor | None:
    """A tensor in the type that autocast gives a convolution of `like`; as it is without autocast or in float64."""
    device = like.device.type
    if tensor is None or not torch.is_autocast_enabled(device) or like.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))
