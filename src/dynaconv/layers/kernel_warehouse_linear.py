"""KernelWarehouse for linear layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.errors import ShapeError
from dynaconv.layers.kernel_warehouse import KernelWarehouseConv1d

__all__ = ["KernelWarehouseLinear"]


class KernelWarehouseLinear(nn.Module):
    """A linear layer whose weight is mixed from the cells of a warehouse, one weight per sample.

    It is a `KernelWarehouseConv1d` of one tap over all positions between the batch and the features; their average is
    the context.

    Args:
        in_features: I.
        out_features: O.
        bias: as in `nn.Linear`.
        device: as in `nn.Linear`.
        dtype: as in `nn.Linear`.
        **options: those of `KernelWarehouseConv2d`, `warehouse` to `init`; cells are `(N, o, i, 1)`.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: OSVAI/KernelWarehouse.

    Example:
        >>> KernelWarehouseLinear(32, 10, cell_ratio=0.5)(torch.randn(2, 7, 32)).shape
        torch.Size([2, 7, 10])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.conv = KernelWarehouseConv1d(
            in_features, out_features, 1, bias=bias, device=device, dtype=dtype, **options
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, *, I)` → `(B, *, O)`.

        Raises:
            ShapeError: `x` has another number of features, or no batch.
        """
        if x.dim() < 2 or x.shape[-1] != self.in_features:
            raise ShapeError("x", x.shape, f"(B, *, {self.in_features})")
        positions = x.flatten(1, -2) if x.dim() > 2 else x.unsqueeze(1)
        y: Tensor = self.conv(positions.transpose(1, 2)).transpose(1, 2)
        return y.reshape(*x.shape[:-1], self.out_features)
