"""CBAM: channels weighted by their averages and maxima, then positions weighted by theirs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv.attention.base import AttentionBlock, GateBlock, gate_of
from dynaconv.attention.map_norm import map_norm
from dynaconv.attention.squeeze_excite import SqueezeExcite
from dynaconv.coefficients import BranchNorm
from dynaconv.context import global_average
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError

__all__ = ["CBAM", "CBAMChannel", "CBAMSpatial"]


class CBAMChannel(SqueezeExcite):
    """`y = σ(MLP(avg_hw x) + MLP(max_hw x)) ⊙ x` with the `MLP = W2 ReLU(W1 · + b1) + b2` of SE for both.

    Args:
        channels: C.
        reduction: r; the hidden width is `C // r`, rounded down.
        min_hidden: least hidden width.
        bias: whether both linear maps have one, as in the authors' code.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Woo, Park, Lee, Kweon, CBAM, 1807.06521, section 3; Jongchan/attention-module. timm leaves the biases out.
    """

    def gate(self, x: Tensor) -> Tensor:
        """One factor per channel, `(B, C, 1, 1)`, between 0 and 1."""
        pooled = torch.stack([global_average(x), _channel_maxima(x)])
        scores = self.fc2(self.fc1(pooled).relu()).sum(0)
        return gate_of(scores, x)[..., None, None]


class CBAMSpatial(GateBlock):
    """`y = σ(BN(conv_k×k([max_c x; mean_c x]))) ⊙ x`.

    Args:
        channels: C; the parameters do not depend on it.
        kernel_size: k, odd.
        norm: of the one-channel map, `"batch"` (the authors'), `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Woo, Park, Lee, Kweon, CBAM, 1807.06521, section 3; the normalisation is in Jongchan/attention-module only.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 7,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        if check_count("kernel_size", kernel_size) % 2 == 0:
            raise ArgumentError("kernel_size", kernel_size, "an odd integer >= 1")
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False, device=device, dtype=dtype)
        self.norm = map_norm(norm, 1, momentum=0.01, device=device, dtype=dtype)

    def gate(self, x: Tensor) -> Tensor:
        """One factor per position, `(B, 1, H, W)`, between 0 and 1."""
        pooled = torch.cat([_position_maxima(x), x.mean(1, keepdim=True)], dim=1)
        return gate_of(self.norm(self.conv(pooled)), x)


class CBAM(AttentionBlock):
    """The channel gate, then the spatial gate of what it gives.

    Args:
        channels: C.
        reduction: r of the channel gate; its hidden width is `C // r`, rounded down.
        min_hidden: least hidden width.
        bias: whether the channel gate's linear maps have one.
        kernel_size: k of the spatial gate, odd.
        norm: inside the spatial gate, `"batch"` (the authors'), `"layer"` or `None`.
        device: where the parameters live.
        dtype: their type.

    Attributes:
        channel: the `CBAMChannel`.
        spatial: the `CBAMSpatial`.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Woo, Park, Lee, Kweon, CBAM, 1807.06521, section 3; Jongchan/attention-module.

    Example:
        >>> block = CBAM(64)
        >>> sum(p.numel() for p in block.parameters()) == 2 * 64**2 // 16 + 64 // 16 + 64 + 98 + 2
        True
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        min_hidden: int = 1,
        bias: bool = True,
        kernel_size: int = 7,
        norm: BranchNorm = "batch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        self.channel = CBAMChannel(
            channels, reduction=reduction, min_hidden=min_hidden, bias=bias, device=device, dtype=dtype
        )
        self.spatial = CBAMSpatial(channels, kernel_size=kernel_size, norm=norm, device=device, dtype=dtype)

    def attend(self, x: Tensor) -> Tensor:
        """Both gates in turn."""
        weighted: Tensor = self.spatial(self.channel(x))
        return weighted


# `amax` is faster than what notes where each maximum stands, but its gradient, which looks for the place anew and
# shares it among equal maxima, is several times slower.
def _channel_maxima(x: Tensor) -> Tensor:
    """`(B, C, H, W)` → `(B, C)`."""
    return F.adaptive_max_pool2d(x, 1).flatten(1) if _is_learning(x) else x.amax((2, 3))


def _position_maxima(x: Tensor) -> Tensor:
    """`(B, C, H, W)` → `(B, 1, H, W)`."""
    return x.max(1, keepdim=True).values if _is_learning(x) else x.amax(1, keepdim=True)


def _is_learning(x: Tensor) -> bool:
    return x.requires_grad and torch.is_grad_enabled() and not torch.compiler.is_compiling()
