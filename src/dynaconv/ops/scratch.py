"""Memory that operators use again from call to call: fresh pages cost more than the numbers written to them."""

from __future__ import annotations

from math import prod
from threading import local

import torch
from torch import Tensor

__all__ = ["scratch"]


class _Kept(local):
    """A thread's memory, by name, type and device."""

    def __init__(self) -> None:
        self.pieces: dict[tuple[object, ...], Tensor] = {}


_kept = _Kept()


def scratch(name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Uninitialised memory that the next call with this name, from the same thread, gives out again.

    Args:
        name: two pieces that are in use at once have two names.
        shape: what is needed; the memory grows to the most that has been, and stays.
        like: its type and device.
    """
    pieces = _kept.pieces
    key, size = (name, like.dtype, like.device), prod(shape)
    if key not in pieces or pieces[key].numel() < size:
        # Tensors made for inference could not be written to afterwards.
        with torch.inference_mode(False):
            pieces[key] = torch.empty(size, dtype=like.dtype, device=like.device)
    return pieces[key][:size].view(shape)
