"""Attention on receptive fields: an amount for every tap of every channel at every position.

A field is `(B, C, T, H, W)`: T = kh·kw features of every channel at every position. Re-arranged, it is a map of
`kh·H` by `kw·W` pixels on which the T features of a position stand side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients.norm import BranchNorm
from dynaconv.coefficients.position_norm import position_norm

__all__ = ["CBAMFieldAttention", "CoordinateFieldAttention", "SoftmaxFieldAttention"]


class SoftmaxFieldAttention(nn.Module):
    """`a_{c,t,p} = softmax_t(v_{c,t} x̄_{c,p})` with x̄ the average under the kernel.

    Args:
        channels: C.
        taps: T.
        device: where the parameters live.
        dtype: their type.

    Source: Zhang et al., RFAConv, 2304.03198; Liuchen1997/RFAConv.
    """

    def __init__(
        self,
        channels: int,
        taps: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, taps, device=device, dtype=dtype))
        # A 1×1 convolution of one channel at a time: nn.Conv2d's own start.
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, average: Tensor) -> Tensor:
        """`average: (B, C, H, W)` → `(B, C, T, H, W)`, T amounts that sum to one."""
        # A product of matrices, whose gradients need no map of T times the size.
        scores = _wide(self.weight).unsqueeze(2) @ _wide(average).flatten(2).unsqueeze(2)
        amounts: Tensor = _wide(scores).softmax(2).to(average.dtype).unflatten(3, average.shape[2:])
        return amounts


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

    def forward(self, average: Tensor, field: Tensor) -> Tensor:
        """`average: (B, C)`, `field: (B, C, T, H, W)` → `(B, C, T, H, W)`, between 0 and 1."""
        of_channel = _wide(self.fc2(self.fc1(average).relu())).sigmoid()
        pooled = torch.stack([field.amax(1), field.mean(1)], dim=1)
        (height, width), size = self.kernel_size, field.shape[3:]
        side_by_side = pooled.unflatten(2, (height, width)).permute(0, 1, 4, 2, 5, 3)
        scores = _wide(self.conv(side_by_side.flatten(4).flatten(2, 3)))
        of_tap = scores.sigmoid().unflatten(3, (size[1], width)).unflatten(2, (size[0], height))
        # A product of matrices, whose gradients need no other field.
        amounts: Tensor = of_channel.unsqueeze(2) @ of_tap.permute(0, 1, 3, 5, 2, 4).flatten(2)
        return amounts.to(field.dtype).reshape(field.shape)


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

    def forward(self, field: Tensor) -> Tensor:
        """`field: (B, C, T, H, W)` → the same shape, between 0 and 1."""
        (height, width), size = self.kernel_size, field.shape[3:]
        parts = field.unflatten(2, (height, width))
        # Nothing below depends on the order of rows and columns.
        rows, columns = parts.mean((3, 5)).flatten(2), parts.mean((2, 4)).flatten(2)
        hidden = nn.functional.hardswish(self.norm(self.reduce(torch.cat([rows, columns], dim=2))))
        of_row = _wide(self.rows(hidden[..., : rows.shape[2]])).sigmoid()
        of_column = _wide(self.columns(hidden[..., rows.shape[2] :])).sigmoid()
        by_row = of_row.unflatten(2, (height, 1, size[0], 1))
        amounts = by_row * of_column.unflatten(2, (1, width, 1, size[1]))
        taps: Tensor = amounts.flatten(2, 3).to(field.dtype)
        return taps


def _wide(values: Tensor) -> Tensor:
    """In float32 if the type is shorter."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
