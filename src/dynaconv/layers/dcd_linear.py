"""DCD's dynamic classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.coefficients import BranchNorm
from dynaconv.errors import ShapeError
from dynaconv.layers.dcd import DCDConv1d

__all__ = ["DCDLinear"]


class DCDLinear(nn.Module):
    """`y = Λ(x) (W x + b) + P Φ(x) Qᵀ x`: `DCDConv2d` for vectors, which are their own context.

    Args:
        in_features: I.
        out_features: O.
        bias: whether there is a b.
        device: as in `nn.Linear`.
        dtype: as in `nn.Linear`.
        rank: L.
        hidden_dim: width of the branch that makes Λ and Φ.
        norm: `"batch"` or `None`; see `DCDConv2d`.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: liyunsheng13/dcd, where it is the classifier of every network.

    Example:
        >>> DCDLinear(64, 10)(torch.randn(2, 64)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        rank: int = 32,
        hidden_dim: int = 32,
        norm: BranchNorm = "batch",
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.conv = DCDConv1d(
            in_features,
            out_features,
            1,
            bias=bias,
            rank=rank,
            hidden_dim=hidden_dim,
            norm=norm,
            device=device,
            dtype=dtype,
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I)` → `(B, O)`.

        Raises:
            ShapeError: `x` is not `(B, I)`.
        """
        if x.dim() != 2 or x.shape[1] != self.in_features:
            raise ShapeError("x", x.shape, f"(B, {self.in_features})")
        y: Tensor = self.conv(x.unsqueeze(2))
        return y.squeeze(2)
