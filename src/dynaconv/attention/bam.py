"""BAM: one gate from a channel branch and a spatial branch of dilated convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynaconv.attention.base import GateBlock, gate_of
from dynaconv.attention.map_norm import map_norm
from dynaconv.coefficients import BranchNorm, branch_norm
from dynaconv.context import global_average
from dynaconv.counts import check_count, hidden_channels

__all__ = ["BAM"]


class BAM(GateBlock):
    """`y = (1 + σ(M_c + M_s)) ⊙ x` with M_c per channel from the global average and M_s per position.

    `M_c = W2 ReLU(BN(W1 g))`; M_s is a 1×1 convolution to `C // r` channels, dilated 3×3 convolutions among them, each
    followed by BN and ReLU, and a 1×1 convolution to one channel. All have biases.

    Args:
        channels: C.
        reduction: r.
        min_hidden: least hidden width.
        dilation: of the 3×3 convolutions, which keep the map's size.
        num_dilated: how many of them.
        norm: in both branches, `"batch"` (the authors'), `"layer"` or `None`.
        as_published: multiply the branches, `σ(M_c · M_s)`, as the authors' code does; the paper adds them.
        device: where the parameters live.
        dtype: their type.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Park, Woo, Lee, Kweon, BAM, 1807.06514, section 3; Jongchan/attention-module, which pools by the height
    alone and so stops at non-square maps.

    Example:
        >>> block = BAM(64)
        >>> block.gate(torch.randn(2, 64, 9, 7)).shape
        torch.Size([2, 64, 9, 7])
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        min_hidden: int = 1,
        dilation: int = 4,
        num_dilated: int = 2,
        norm: BranchNorm = "batch",
        as_published: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(channels)
        self.as_published = as_published
        hidden = hidden_channels(channels, reduction, min_hidden)
        self.channel = nn.Sequential(
            nn.Linear(channels, hidden, device=device, dtype=dtype),
            branch_norm(norm, hidden, device=device, dtype=dtype),
            nn.ReLU(),
            nn.Linear(hidden, channels, device=device, dtype=dtype),
        )
        spatial: list[nn.Module] = [nn.Conv2d(channels, hidden, 1, device=device, dtype=dtype)]
        for _ in range(check_count("num_dilated", num_dilated)):
            reach = check_count("dilation", dilation)
            spatial += [map_norm(norm, hidden, device=device, dtype=dtype), nn.ReLU()]
            spatial += [nn.Conv2d(hidden, hidden, 3, padding=reach, dilation=reach, device=device, dtype=dtype)]
        spatial += [map_norm(norm, hidden, device=device, dtype=dtype), nn.ReLU()]
        spatial += [nn.Conv2d(hidden, 1, 1, device=device, dtype=dtype)]
        self.spatial = nn.Sequential(*spatial)

    def gate(self, x: Tensor) -> Tensor:
        """One factor per channel and position, `(B, C, H, W)`, between 1 and 2."""
        channel, spatial = self.channel(global_average(x))[..., None, None], self.spatial(x)
        return 1 + gate_of(channel * spatial if self.as_published else channel + spatial, x)
