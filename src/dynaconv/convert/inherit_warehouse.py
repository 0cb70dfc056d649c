"""Start KernelWarehouse layers from static convolutions: the cells are cut from the kernel."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from dynaconv.convert.inherit import kernel_at_rest, start_from, take_over
from dynaconv.kernels import CellKernel
from dynaconv.layers import KernelWarehouseConv1d, KernelWarehouseConv2d, KernelWarehouseConv3d

__all__ = ["start_warehouse"]

# Scores whose absolute values sum to this are their own shares: the attention divides by the sum and 0.001.
_MOST = 0.999


@start_from.register(KernelWarehouseConv1d)
@start_from.register(KernelWarehouseConv2d)
@start_from.register(KernelWarehouseConv3d)
def start_warehouse(layer: KernelWarehouseConv2d, conv: nn.Conv2d) -> bool:
    """Exact with a cell for every block; with fewer, the nearest kernel that the layer's own cells can make."""
    weight = conv.weight.detach()
    # Half precision has no decomposition.
    blocks = cast(CellKernel, kernel_at_rest(layer, weight)).blocks_of(weight[None])
    blocks = blocks.to(torch.promote_types(weight.dtype, torch.float32))
    assignment, own = layer.attention.assignment, layer.attention.own
    cells, count = layer.warehouse.cells.data, layer.attention.num_cells
    exact = bool((assignment < count).all())
    temperature = float(layer.attention.temperature.value)
    shares = blocks.new_zeros(len(blocks), count + 1)
    if exact:
        shares[torch.arange(len(blocks)), assignment] = _MOST
        at_work = (1 - temperature) * _MOST + temperature
        cells[assignment] = (blocks / at_work).reshape(-1, *cells.shape[1:]).to(cells.dtype)
    else:
        rows = torch.linalg.svd(blocks, full_matrices=False)[0][:, : len(own)]
        shares[:, own.start : own.start + rows.shape[1]] = rows * (_MOST / rows.abs().sum(1).max())
        mixed = (1 - temperature) * shares[:, own.start : own.stop]
        mixed += temperature * (assignment[:, None] == torch.arange(own.start, own.stop, device=assignment.device))
        best = torch.linalg.pinv(mixed) @ blocks
        cells[own.start : own.stop] = best.reshape(-1, *cells.shape[1:]).to(cells.dtype)
    # The score that is dropped takes up the rest.
    shares[:, -1] = _MOST - shares.abs().sum(1)
    _set_scores(layer, shares)
    take_over(layer.bias, conv.bias)
    return exact


def _set_scores(layer: KernelWarehouseConv2d, scores: Tensor) -> None:
    """The same scores `(M, N + 1)` for all inputs."""
    attention = layer.attention
    nn.init.zeros_(attention.fc2.weight)
    constant = attention.fc2.bias if attention.basis_bias is None else attention.basis_bias
    constant.data.copy_(scores.flatten())
