"""`tapwise_conv` for export: weighted windows are channels of one static convolution; single channels are summed."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.ops.maps import on_map
from dynaconv.ops.slices import slices
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["forward"]


def forward(x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
    """Convolve `x: (B, I, *S)` with `weight: (O, I/g, *k)` under `taps: (B, G, T, *S_out)`."""
    under = [_weighted(p, a) for p, a in zip(slices(x, spec), taps.unbind(2), strict=True)]
    if spec.groups == spec.in_channels == spec.out_channels:
        of_tap = weight.flatten(1).unbind(1)
        y = under[0] * on_map(of_tap[0], x)
        for pixels, amount in zip(under[1:], of_tap[1:], strict=True):
            y = y + pixels * on_map(amount, x)
        return y
    columns = torch.stack(under, dim=2).flatten(1, 2)
    channels = spec.in_channels * spec.taps
    point = ConvSpec.parse(channels, spec.out_channels, 1, dims=spec.dims, groups=spec.groups)
    return static_conv(columns, weight.reshape(point.weight_shape), None, point)


def _weighted(pixels: Tensor, amounts: Tensor) -> Tensor:
    """`(B, I, *S_out)` times `(B, G, *S_out)`, each for I/G channels."""
    if amounts.shape[1] in (1, pixels.shape[1]):
        return pixels * amounts
    by_group: Tensor = pixels.unflatten(1, (amounts.shape[1], -1)) * amounts.unsqueeze(2)
    return by_group.flatten(1, 2)
