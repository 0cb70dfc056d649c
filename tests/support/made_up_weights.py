"""Weights computed from their names: the same on every machine, so that fixtures need not hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from math import prod, sqrt
from pathlib import Path
from zlib import crc32

import torch
from safetensors import safe_open
from torch import Tensor

_COUNT = 5_000_000
_MASK = 2**31 - 1


@cache
def _numbers() -> Tensor:
    """Numbers spread evenly over -1 to 1 in no visible order, by an integer hash: no rounding, no library's choice."""
    h = torch.arange(1, _COUNT + 1)
    for multiplier, shift in ((1103515245, 15), (362437069, 13), (69069, 16)):
        h = (h * multiplier) & _MASK
        h ^= h >> shift
    return h.double() / 2**30 - 1


def numbers(name: str, shape: tuple[int, ...]) -> Tensor:
    """Numbers between -1 and 1 that belong to a name, float64."""
    count = prod(shape)
    start = crc32(name.encode()) % (_COUNT - count)
    return _numbers()[start : start + count].reshape(shape).clone()


def made_up_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A state dict in float64 for names and shapes as PyTorch's convolutions, linear maps and batch norms have them."""
    state = {}
    for name, shape in shapes.items():
        made = numbers(name, shape)
        if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            state[name] = 1 + made / 2
        elif name.endswith("weight"):
            state[name] = made * sqrt(3 / prod(shape[1:]))
        elif not name.endswith("num_batches_tracked"):
            state[name] = made / 5
    return state


def recorded(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A fixture's tensors, and the state dict that made them, from the names and shapes noted in the file."""
    with safe_open(path, framework="pt") as file:
        state = made_up_state({name: tuple(shape) for name, shape in json.loads(file.metadata()["shapes"]).items()})
        return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 (not a dictionary)
