"""Second-order statistics square the range of numbers: they are taken in float32 or longer, also under autocast."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["full_precision", "widened"]


def widened(x: Tensor) -> Tensor:
    """`x` in float32 if its type is shorter, else as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Where autocast leaves matrix products on the device of `like` alone."""
    device = like.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
