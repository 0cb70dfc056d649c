"""A convolution padded as TensorFlow pads it."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SamePadded"]


class SamePadded(nn.Module):
    """A convolution after padding by the input's size: the output has ⌈n / stride⌉ positions a dimension.

    How many zeros that takes depends on the input; an odd one comes after.

    Args:
        conv: a convolution of this library; its `spec` does not pad.

    Example:
        >>> import torch
        >>> from dynaconv.layers import ODConv2d
        >>> SamePadded(ODConv2d(8, 8, 3, stride=2))(torch.randn(1, 8, 7, 6)).shape
        torch.Size([1, 8, 4, 3])
    """

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        # Kept here: frozen, the convolution is an ordinary one without a spec.
        self.spec: Any = conv.spec

    def forward(self, x: Tensor) -> Tensor:
        """`(B, I, *S)` → `(B, O, *⌈S / stride⌉)`."""
        spec = self.spec
        pads: list[int] = []
        for n, k, s, d in zip(x.shape[2:], spec.kernel_size, spec.stride, spec.dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            # F.pad counts from the last dimension.
            pads = [total // 2, total - total // 2, *pads]
        y: Tensor = self.conv(F.pad(x, pads))
        return y
