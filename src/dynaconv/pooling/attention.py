"""Attention pooling: a weighted average, the weights a softmax over all positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.counts import check_count
from dynaconv.errors import ShapeError
from dynaconv.ops.second_order.precision import full_precision, widened
from dynaconv.pooling.base import Pooling

__all__ = ["AttentionPool", "attention_pool"]


def attention_pool(x: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """`a = softmax_p(w · x_p)` over all positions p and `y = Σ_p a_p x_p`, for every query w.

    Args:
        x: `(B, C, *S)` with at least one position.
        query: M queries, `(M, C)`, or `(B, M, C)` with a sample's own; a query of zeros makes the plain average.

    Returns:
        The pooled vectors `(B, M, C)` and the attention maps `(B, M, *S)`, non-negative and of sum 1, both in float32
        where `x` is shorter.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> pooled, attention = attention_pool(torch.randn(2, 3, 8, 6), torch.zeros(4, 3))
        >>> pooled.shape, attention.shape
        (torch.Size([2, 4, 3]), torch.Size([2, 4, 8, 6]))
    """
    if x.dim() < 3 or 0 in x.shape[2:]:
        raise ShapeError("x", x.shape, "(B, C, *S) with at least one position")
    batch, channels = x.shape[:2]
    if query.dim() not in (2, 3) or query.shape[-1] != channels or (query.dim() == 3 and len(query) != batch):
        raise ShapeError("query", query.shape, f"(M, {channels}) or ({batch}, M, {channels})")
    positions, query = widened(x.flatten(2)), widened(query)
    with full_precision(x):
        attention = (query @ positions).softmax(-1)
        return attention @ positions.mT, attention.unflatten(-1, x.shape[2:])


class AttentionPool(Pooling):
    """`y = Σ_p softmax_p(w_m · x_p) x_p` for every head m, one after the other.

    Starts with all w zero, as the average.

    Args:
        channels: C.
        heads: M; D = M · C.
        query: given w, `(M, C)`, which are not trained; learnt by default.
        device: where w lives.
        dtype: its type.

    Raises:
        ArgumentError: a size is not an integer >= 1; ShapeError for a `query` of another shape.

    Example:
        >>> pool, x = AttentionPool(16, heads=2), torch.randn(2, 16, 7, 5)
        >>> pool(x).shape, pool.attention(x).shape
        (torch.Size([2, 32]), torch.Size([2, 2, 7, 5]))
    """

    query: Tensor

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 1,
        query: Tensor | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        shape = (check_count("heads", heads), check_count("channels", channels))
        super().__init__(channels, heads * channels)
        if query is None:
            self.query = nn.Parameter(torch.zeros(shape, device=device, dtype=dtype))
            return
        if query.shape != shape:
            raise ShapeError("query", query.shape, f"{shape}, heads × channels")
        self.register_buffer("query", query.detach().clone().to(device=device, dtype=dtype))

    def attention(self, x: Tensor) -> Tensor:
        """How much each position counts for each head: `(B, C, H, W)` → `(B, M, H, W)`, of sum 1; for display."""
        return attention_pool(x, self.query)[1]

    def pool(self, x: Tensor) -> Tensor:
        """The heads' weighted averages, one after the other."""
        return attention_pool(x, self.query)[0].flatten(1)
