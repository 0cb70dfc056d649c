"""Made-up weights in the names of the KernelWarehouse authors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from support.made_up_weights import made_up_state, numbers
from torch import Tensor

CELLS = "warehouse_manager.weights."


def made_up_warehouses(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """As `made_up_state`; warehouses cell by cell, since one may hold more numbers than are made up at once."""
    state = made_up_state({name: tuple(shape) for name, shape in shapes.items() if not name.startswith(CELLS)})
    for name, (count, *cell) in ((n, s) for n, s in shapes.items() if n.startswith(CELLS)):
        state[name] = torch.stack([numbers(f"{name}.{i}", tuple(cell)) for i in range(count)]) * (6 / cell[1]) ** 0.5
    return state
