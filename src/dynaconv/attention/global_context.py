"""Global context: one attention map pools the image, and what it finds is added to every position."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from dynaconv.attention.base import AttentionBlock, gate_of, widened
from dynaconv.counts import hidden_channels
from dynaconv.errors import ArgumentError

__all__ = ["GlobalContext"]

Fusion = Literal["add", "scale"]


class GlobalContext(AttentionBlock):
    """`y = x + W2 ReLU(LN(W1 c))` with `c = Σ_p softmax_p(w_k · x_p) x_p` over all positions p.

    The last linear map starts at zero, so that the block starts as the identity (`fusion="scale"`: as one half of it).

    Args:
        channels: C.
        reduction: r; the hidden width is `C // r`, rounded down.
        min_hidden: least hidden width.
        fusion: `"add"` what the context says, or `"scale"` the channels by its sigmoid.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Cao et al., GCNet, 1904.11492; xvjiarui/GCNet.

    Example:
        >>> block, x = GlobalContext(64), torch.randn(2, 64, 7, 5)
        >>> block.attention(x).shape, torch.equal(block(x), x)
        (torch.Size([2, 7, 5]), True)
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        min_hidden: int = 1,
        fusion: Fusion = "add",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        if fusion not in get_args(Fusion):
            raise ArgumentError("fusion", fusion, f"one of {', '.join(get_args(Fusion))}")
        self.fusion = fusion
        hidden = hidden_channels(channels, reduction, min_hidden)
        self.mask = nn.Conv2d(channels, 1, 1, device=device, dtype=dtype)
        self.fc1 = nn.Linear(channels, hidden, device=device, dtype=dtype)
        self.norm = nn.LayerNorm(hidden, device=device, dtype=dtype)
        self.fc2 = nn.Linear(hidden, channels, device=device, dtype=dtype)
        nn.init.kaiming_normal_(self.mask.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def attention(self, x: Tensor) -> Tensor:
        """How much each position counts: `(B, C, H, W)` → `(B, H, W)`, non-negative, of sum 1."""
        shares = widened(self.mask(x).flatten(1)).softmax(1)
        return shares.reshape(x.shape[0], *x.shape[2:])

    def attend(self, x: Tensor) -> Tensor:
        """The map with the context in it."""
        context = torch.einsum("bchw,bhw->bc", x, self.attention(x).to(x.dtype))
        said: Tensor = self.fc2(self.norm(self.fc1(context)).relu())
        if self.fusion == "scale":
            return x * gate_of(said, x)[..., None, None]
        return x + said[..., None, None]
