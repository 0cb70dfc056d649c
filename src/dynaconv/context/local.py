"""Local context: what the window of each output position holds, in few dimensions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv.spec import ConvSpec

__all__ = ["LocalContext"]

_CONVS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_FILL = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class LocalContext(nn.Module):
    """Every window of a convolution read in D dimensions: `(B, I, *S)` → `(B, D, *S_out)`.

    The channels are projected to D first, then each of the D maps is read by a window of its own, with the taps,
    stride, padding and dilation of the convolution: D (I + T) multiply-adds a position instead of the D I T of a full
    window.

    Args:
        spec: the convolution whose windows are read.
        dim: D.
        device: where the parameters live.
        dtype: their type.
    """

    def __init__(
        self, spec: ConvSpec, dim: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        conv = _CONVS[spec.dims]
        # F.pad counts from the last dimension.
        self.padding = [width for pads in reversed(spec.pads) for width in pads]
        self.fill = _FILL[spec.padding_mode]
        self.project = conv(spec.in_channels, dim, 1, bias=False, device=device, dtype=dtype)
        self.window = conv(
            dim,
            dim,
            spec.kernel_size,  # type: ignore[arg-type]  # as many numbers as the class has dimensions
            spec.stride,  # type: ignore[arg-type]
            dilation=spec.dilation,  # type: ignore[arg-type]
            groups=dim,
            device=device,
            dtype=dtype,
        )
        for part in (self.project, self.window):
            # Keeps the scale of the input, that the windows' differences count from the start.
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear")

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, *S)` → `(B, D, *S_out)`."""
        read: Tensor = self.window(F.pad(self.project(x), self.padding, mode=self.fill))
        return read
