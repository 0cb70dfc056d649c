"""Convolution as matrix products: the windows of the input as columns, the kernels as rows.

Shapes: g groups, n = I/g · T numbers in a window of one group, P output positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from dynaconv.ops.windows import add_windows, windows
from dynaconv.spec import ConvSpec

__all__ = ["columns", "from_columns", "is_channels_last", "new_output"]


def is_channels_last(x: Tensor) -> bool:
    """Whether the channels of `x` lie side by side in memory, in two and three dimensions; else rows do."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return x.dim() in formats and not x.is_contiguous() and x.is_contiguous(memory_format=formats[x.dim()])


def columns(x: Tensor, spec: ConvSpec) -> Tensor:
    """The windows of every position as columns: `(B, I, *S)` → `(B·g, n, P)`.

    The numbers lie in the order that copies them fastest: a window's together for channels-last maps, else a tap's.
    """
    batch, groups = x.shape[0], spec.groups
    view = windows(x, spec)
    if view.shape[2 : 2 + spec.dims].numel() == 1 and view.is_contiguous():
        return view.reshape(batch * groups, spec.in_channels // groups, -1)
    grouped: Tensor = view.unflatten(1, (groups, spec.in_channels // groups)).flatten(0, 1)
    rows = prod(grouped.shape[1 : 2 + spec.dims])
    if not is_channels_last(x):
        return grouped.reshape(batch * groups, rows, -1)
    dims = spec.dims
    by_position = grouped.permute(0, *range(2 + dims, 2 + 2 * dims), *range(1, 2 + dims))
    return by_position.reshape(batch * groups, -1, rows).transpose(1, 2)


def from_columns(values: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """The adjoint of `columns`: `(B·g, n, P)` → the input's shape `(B, I, *S)`."""
    batch, channels, *rest = size
    shape = (batch, channels, *spec.kernel_size, *spec.output_size(rest))
    return add_windows(values.reshape(shape), rest, spec)


def new_output(x: Tensor, spec: ConvSpec) -> tuple[Tensor, Tensor]:
    """An output in the memory format of `x`, `(B, O, *S_out)`, and the same numbers as `(B, g, O/g, P)`."""
    batch, groups, out_size = x.shape[0], spec.groups, spec.output_size(x.shape[2:])
    channels = spec.out_channels
    if is_channels_last(x):
        flat = x.new_empty(batch, prod(out_size), channels).transpose(1, 2)
    else:
        flat = x.new_empty(batch, channels, prod(out_size))
    return flat.unflatten(2, out_size), flat.unflatten(1, (groups, channels // groups))
