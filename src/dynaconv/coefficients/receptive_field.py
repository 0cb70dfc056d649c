"""Attention on receptive fields: an amount for every tap of every channel at every position.

A field is `(B, C, kh, kw, H, W)`: kh·kw features of every channel at every position. Re-arranged, it is a map of
`kh·H` by `kw·W` pixels on which the features of a position stand side by side.

An attention comes as two factors of such a shape, where any dimension may be one: the amounts are their product, or its
softmax over the taps. So nothing as large as a field is made here; what an attention reads of the field is `pooled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm
from dynaconv.coefficients.position_norm import position_norm

__all__ = ["CBAMFieldAttention", "CoordinateFieldAttention", "SoftmaxFieldAttention"]


Factors = tuple[Tensor, Tensor]


class SoftmaxFieldAttention(nn.Module):
    """`a_{c,t,p} = softmax_t(v_{c,t} x̄_{c,p})` with x̄ the average under the kernel.

    Args:
        channels: C.
        kernel_size: `(kh, kw)`.
        device: where the parameters live.
        dtype: their type.

    Source: Zhang et al., RFAConv, 2304.03198; Liuchen1997/RFAConv.
    """

    softmax = True
    pools: ClassVar[Literal["channels", "lines"] | None] = None

    def __init__(
        self,
        channels: int,
        kernel_size: tuple[int, ...],
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.weight = nn.Parameter(torch.empty(channels, prod(kernel_size), device=device, dtype=dtype))
        # A 1×1 convolution of one channel at a time: nn.Conv2d's own start.
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, average: Tensor) -> Factors:
        """`average: (B, C, H, W)` → `(1, C, kh, kw, 1, 1)` and `(B, C, 1, 1, H, W)`."""
        of_tap = _wide(self.weight).unflatten(1, self.kernel_size)
        return of_tap[None, ..., None, None], _wide(average)[:, :, None, None]


class CBAMFieldAttention(nn.Module):
    """`a_{c,t,p} = σ(W2 ReLU(W1 g))_c · σ(conv3×3([max_c f; mean_c f]))_{t,p}`; it convolves the re-arranged field.

    Args:
        channels: C of the field and of the global average g of the input.
        kernel_size: `(kh, kw)`.
        hidden: rows of W1.
        device: where the parameters live.
        dtype: their type.

    Source: Zhang et al., RFAConv, 2304.03198; Liuchen1997/RFAConv.
    """

    softmax = False
    pools: ClassVar[Literal["channels", "lines"] | None] = "channels"

    def __init__(
        self,
        channels: int,
        kernel_size: tuple[int, ...],
        hidden: int = 16,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.fc1 = nn.Linear(channels, hidden, bias=False, device=device, dtype=dtype)
        self.fc2 = nn.Linear(hidden, channels, bias=False, device=device, dtype=dtype)
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False, device=device, dtype=dtype)

    def forward(self, average: Tensor, pooled: Tensor) -> Factors:
        """The gates of channels and those of taps and positions, all between 0 and 1.

        Args:
            average: `(B, C)`.
            pooled: `(B, 2, kh, kw, H, W)`.

        Returns:
            `(B, C, 1, 1, 1, 1)` and `(B, 1, kh, kw, H, W)`.
        """
        of_channel = _wide(self.fc2(self.fc1(average).relu())).sigmoid()
        (height, width), size = self.kernel_size, pooled.shape[4:]
        side_by_side = pooled.permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)
        scores = _wide(self.conv(side_by_side.to(self.conv.weight.dtype)))
        of_tap = scores.sigmoid().unflatten(3, (size[1], width)).unflatten(2, (size[0], height))
        return of_channel[..., None, None, None, None], of_tap.permute(0, 1, 3, 5, 2, 4)


class CoordinateFieldAttention(nn.Module):
    """`a = σ(V_h u_row + b_h) · σ(V_w u_column + b_w)` with `u = hardswish(norm(U m + b))`.

    m are the means of the rows and of the columns of the re-arranged field, where each holds several taps.

    Args:
        channels: C.
        kernel_size: `(kh, kw)`.
        hidden: rows of U.
        norm: `"batch"`, `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Source: Zhang et al., RFAConv, 2304.03198; Hou, Zhou, Feng, Coordinate Attention, 2103.02907; Liuchen1997/RFAConv.
    """

    softmax = False
    pools: ClassVar[Literal["channels", "lines"] | None] = "lines"

    def __init__(
        self,
        channels: int,
        kernel_size: tuple[int, ...],
        hidden: int,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.reduce = nn.Conv1d(channels, hidden, 1, device=device, dtype=dtype)
        self.norm = position_norm(norm, hidden, device=device, dtype=dtype)
        self.rows = nn.Conv1d(hidden, channels, 1, device=device, dtype=dtype)
        self.columns = nn.Conv1d(hidden, channels, 1, device=device, dtype=dtype)

    def forward(self, pooled: Tensor, size: Sequence[int]) -> Factors:
        """The gates of rows and those of columns, between 0 and 1.

        Args:
            pooled: `(B, C, kh·H + kw·W)`.
            size: `(H, W)`.

        Returns:
            `(B, C, kh, 1, H, 1)` and `(B, C, 1, kw, 1, W)`.
        """
        height, width = self.kernel_size
        # Nothing below depends on the order of rows and columns.
        hidden = nn.functional.hardswish(self.norm(self.reduce(pooled.to(self.reduce.weight.dtype))))
        rows, columns = hidden.split([height * size[0], width * size[1]], dim=2)
        of_row, of_column = _wide(self.rows(rows)).sigmoid(), _wide(self.columns(columns)).sigmoid()
        return of_row.unflatten(2, (height, 1, size[0], 1)), of_column.unflatten(2, (1, width, 1, size[1]))


def _wide(values: Tensor) -> Tensor:
    """In float32 if the type is shorter."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
