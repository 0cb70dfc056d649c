"""The non-local block: every position receives from all others, by how similar they are."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from dynaconv.attention.base import AttentionBlock
from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm
from dynaconv.counts import hidden_channels
from dynaconv.errors import ArgumentError

__all__ = ["NonLocal"]

Similarity = Literal["embedded_gaussian", "gaussian", "dot_product", "concatenation"]


class NonLocal(AttentionBlock):
    """`z_i = W_z y_i + x_i` with `y_i = Σ_j f(x_i, x_j) g(x_j) / C_i` over all positions j.

    | similarity | f | C_i |
    |---|---|---|
    | `"embedded_gaussian"` | `exp(θ(x_i) · φ(x_j))` | `Σ_j f` |
    | `"gaussian"` | `exp(x_i · x_j)` | `Σ_j f` |
    | `"dot_product"` | `θ(x_i) · φ(x_j)` | number of positions |
    | `"concatenation"` | `ReLU(w · [θ(x_i), φ(x_j)])` | number of positions |

    The normalisation after W_z starts at zero (without one: W_z itself), so that the block starts as the identity.
    Time grows with the square of the number of positions; memory does too for `"concatenation"` alone.

    Args:
        channels: C.
        similarity: f, see above.
        reduction: the bottleneck of θ, φ and g is `C // reduction`, rounded down.
        min_hidden: its least width.
        subsample: take φ and g from a map whose 2×2 windows are max-pooled; a side of 1 stays.
        norm: after W_z, `"batch"` (the paper's), `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Wang, Girshick, Gupta, He, Non-local Neural Networks, 1711.07971, section 3.

    Example:
        >>> block, x = NonLocal(64), torch.randn(2, 64, 7, 5)
        >>> torch.equal(block(x), x)
        True
    """

    def __init__(
        self,
        channels: int,
        *,
        similarity: Similarity = "embedded_gaussian",
        reduction: int = 2,
        min_hidden: int = 1,
        subsample: bool = False,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        if similarity not in get_args(Similarity):
            raise ArgumentError("similarity", similarity, f"one of {', '.join(get_args(Similarity))}")
        self.similarity, self.subsample = similarity, subsample
        hidden = hidden_channels(channels, reduction, min_hidden)

        def embedding() -> nn.Conv2d:
            return nn.Conv2d(channels, hidden, 1, device=device, dtype=dtype)

        self.theta = embedding() if similarity != "gaussian" else nn.Identity()
        self.phi = embedding() if similarity != "gaussian" else nn.Identity()
        self.g = embedding()
        if similarity == "concatenation":
            self.w = nn.Linear(2 * hidden, 1, bias=False, device=device, dtype=dtype)
        self.out = nn.Conv2d(hidden, channels, 1, device=device, dtype=dtype)
        self.norm = map_norm(norm, channels, device=device, dtype=dtype)
        for parameter in (self.norm if norm else self.out).parameters():
            nn.init.zeros_(parameter)

    def attend(self, x: Tensor) -> Tensor:
        """The map plus what its positions receive."""
        source = x
        if self.subsample:
            window = (min(2, x.shape[2]), min(2, x.shape[3]))
            source = nn.functional.max_pool2d(x, window)
        received = self._receive(_positions(self.theta(x)), _positions(self.phi(source)), _positions(self.g(source)))
        maps = received.transpose(1, 2).unflatten(2, x.shape[2:])
        difference: Tensor = self.norm(self.out(maps))
        return x + difference

    def _receive(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """y of `(B, N, D)` queries, `(B, M, D)` keys and `(B, M, V)` values: `(B, N, V)`."""
        if self.similarity == "dot_product":
            return queries @ (keys.transpose(1, 2) @ values) / keys.shape[1]
        if self.similarity == "concatenation":
            # w · [θ_i, φ_j] is a sum of a part of i and a part of j.
            of_query, of_key = self.w.weight.unflatten(1, (2, -1)).unbind(1)
            scores: Tensor = queries @ of_query.mT + (keys @ of_key.mT).mT
            return scores.relu() @ values / keys.shape[1]
        # PyTorch's attention that keeps no N × M matrix asks for a dimension of heads and dense vectors.
        heads = (queries[:, None].contiguous(), keys[:, None].contiguous(), values[:, None].contiguous())
        return nn.functional.scaled_dot_product_attention(*heads, scale=1.0).squeeze(1)


def _positions(maps: Tensor) -> Tensor:
    """`(B, C, H, W)` → `(B, H·W, C)`."""
    return maps.flatten(2).transpose(1, 2)
