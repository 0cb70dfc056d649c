"""What a layer's convolution would do with an input."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv import ops
from dynaconv.layers.base import DynamicConv

__all__ = ["explain"]


def explain(layer: DynamicConv, x: Tensor) -> str:
    """The algorithm that a dynamic convolution chooses for `x: (B, I, *S)`, and why; text to print.

    Args:
        layer: any of the library's layers.
        x: an input; its shape, type and device matter.

    Raises:
        ArgumentError: `x` does not fit.

    Example:
        >>> from dynaconv.layers import KernelWeightedConv2d
        >>> print(explain(KernelWeightedConv2d(16, 16, 3), torch.randn(2, 16, 8, 8)).splitlines()[0])
        dense_conv: x 2×16×8×8, 16→16, kernel 3×3, stride (1, 1), float32, cpu
    """
    with torch.no_grad():
        return ops.explain_conv(*layer.operands(x))
