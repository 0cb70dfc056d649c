"""Spatially separable convolution: columns first, then rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError
from dynaconv.ops.checks import check_input
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["SpatiallySeparableConv2d"]


class SpatiallySeparableConv2d(nn.Module):
    """A k×1 convolution over the columns, then a 1×k convolution over the rows.

    With as many channels between them as come out, it has 2/k of a square kernel's weights. `from_conv` splits a
    convolution that is there already.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`; both parts have the groups, and the bias is added at the end.
        mid_channels: M, channels between the two, a multiple of `groups`; `out_channels` by default.

    Raises:
        ArgumentError: an argument is not allowed.

    Example:
        >>> SpatiallySeparableConv2d(16, 32, (5, 3), stride=2, padding=(2, 1))(torch.randn(2, 16, 9, 8)).shape
        torch.Size([2, 32, 5, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        mid_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=2,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        middle = out_channels if mid_channels is None else check_count("mid_channels", mid_channels)
        if middle % groups:
            raise ArgumentError("mid_channels", middle, f"a multiple of groups={groups}")
        (height, width), (down, right), (below, beside) = spec.kernel_size, spec.stride, spec.dilation
        pads: Any = (padding, padding)
        if not isinstance(padding, str):
            (top, _), (left, _) = spec.pads
            pads = (top, 0), (0, left)
        shared: dict[str, Any] = {"groups": groups, "padding_mode": padding_mode, "device": device, "dtype": dtype}
        self.vertical = nn.Conv2d(
            in_channels, middle, (height, 1), (down, 1), pads[0], (below, 1), bias=False, **shared
        )
        self.horizontal = nn.Conv2d(
            middle, out_channels, (1, width), (1, right), pads[1], (1, beside), bias=bias, **shared
        )

    @classmethod
    def from_conv(cls, conv: nn.Conv2d, mid_channels: int | None = None) -> SpatiallySeparableConv2d:
        """Split a convolution: no split with so many channels between is nearer to its kernel (least squares).

        Args:
            conv: its weights are copied.
            mid_channels: M. By default, where every 2-D slice of the kernel has rank one (columns times rows), as many
                as an exact split needs; else `out_channels`.

        Raises:
            ArgumentError: not an `nn.Conv2d`, or an M that is not allowed.

        Example:
            >>> blur = nn.Conv2d(8, 8, 3, groups=8)
            >>> blur.weight.data = (torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1])) / 16).expand(8, 1, 3, 3)
            >>> split = SpatiallySeparableConv2d.from_conv(blur)
            >>> split.vertical.weight.shape, round(split.relative_error(blur), 6)
            (torch.Size([8, 1, 3, 1]), 0.0)
        """
        if type(conv) is not nn.Conv2d:
            raise ArgumentError("conv", type(conv).__name__, "an nn.Conv2d")
        weight = conv.weight.detach()
        # Half precision has no decomposition.
        exactly = weight.to(torch.promote_types(weight.dtype, torch.float32))
        rows, strengths, columns = torch.linalg.svd(_matrices(exactly, conv.groups), full_matrices=False)
        if mid_channels is None:
            exact = int(_ranks(strengths).amax().clamp(min=1)) * conv.groups
            mid_channels = exact if _is_separable(exactly) else conv.out_channels
        padding: Any = conv.padding
        mode: Any = conv.padding_mode
        split = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None,
            mode,
            weight.device,
            weight.dtype,
            mid_channels=mid_channels,
        )
        split._fill(rows, strengths, columns)
        if conv.bias is not None and split.horizontal.bias is not None:
            split.horizontal.bias.data.copy_(conv.bias)
        return split.train(conv.training)

    def _fill(self, rows: Tensor, strengths: Tensor, columns: Tensor) -> None:
        """The strongest parts of a decomposition, one to a channel between; channels left over stay zero."""
        groups, (height, width) = self.spec.groups, self.spec.kernel_size
        m = min(self.vertical.out_channels // groups, strengths.shape[1])
        shares = strengths[:, :m].sqrt()
        vertical = (shares.unsqueeze(2) * columns[:, :m]).unflatten(2, (-1, height))
        horizontal = (rows[:, :, :m] * shares.unsqueeze(1)).unflatten(1, (-1, width)).transpose(2, 3)
        for conv in (self.vertical, self.horizontal):
            nn.init.zeros_(conv.weight)
        # A channel between is a row of the first part's weight and a column of the second's.
        self.vertical.weight.data.squeeze(3).unflatten(0, (groups, -1))[:, :m] = vertical
        self.horizontal.weight.data.squeeze(2).unflatten(0, (groups, -1))[:, :, :m] = horizontal

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, H, W)` → `(B, O, *S_out)`.

        Raises:
            ArgumentError: `x` does not fit; ShapeError for its rank and channels.
        """
        check_input(x, self.spec)
        y: Tensor = self.horizontal(self.vertical(x))
        return y

    def dense(self) -> Tensor:
        """The one kernel that does the same, `(O, I/groups, kh, kw)`."""
        vertical = self.vertical.weight.squeeze(3).unflatten(0, (self.spec.groups, -1))
        horizontal = self.horizontal.weight.squeeze(2).unflatten(0, (self.spec.groups, -1))
        kernel: Tensor = torch.einsum("gomw,gmih->goihw", horizontal, vertical)
        return kernel.flatten(0, 1)

    def relative_error(self, conv: nn.Conv2d) -> float:
        """How far the layer's kernel is from a convolution's: the norm of the difference, by the convolution's norm."""
        weight = conv.weight.detach()
        return float((self.dense().detach() - weight).norm() / weight.norm().clamp(min=torch.finfo(weight.dtype).tiny))


def _matrices(weight: Tensor, groups: int) -> Tensor:
    """`(O, I/g, kh, kw)` → `(g, O/g·kw, I/g·kh)`: of rank M/g where M channels between are enough."""
    grouped: Tensor = weight.unflatten(0, (groups, -1)).permute(0, 1, 4, 2, 3)
    return grouped.flatten(3, 4).flatten(1, 2)


def _ranks(strengths: Tensor) -> Tensor:
    """How many singular values, sorted along the last dimension, are more than rounding errors of the largest."""
    tolerance = 16 * torch.finfo(strengths.dtype).eps * strengths[..., :1]
    return (strengths > tolerance).sum(-1)


def _is_separable(weight: Tensor) -> bool:
    """Whether every 2-D slice is a column times a row."""
    return bool((_ranks(torch.linalg.svdvals(weight)) <= 1).all())
