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
    # Some devices, such as meta, have no autocast to ask for.
    if tensor is None or like.dtype == torch.float64 or not torch.amp.is_autocast_available(device):
        return tensor
    if not torch.is_autocast_enabled(device):
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))
