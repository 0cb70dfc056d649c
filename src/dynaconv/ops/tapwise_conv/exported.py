"""`tapwise_conv` for export: the weighted windows are the channels of one static convolution."""

from __future__ import annotations

from torch import Tensor

from dynaconv.ops.exported import pixels_under
from dynaconv.ops.maps import on_map
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["forward"]


def forward(x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
    """Convolve `x: (B, I, *S)` with `weight: (O, I/g, *k)` under `taps: (B, G, T, *S_out)`."""
    by_group: Tensor = pixels_under(x, spec).unflatten(1, (taps.shape[1], -1)) * taps.unsqueeze(2)
    weighted = by_group.flatten(1, 2)
    if spec.groups == spec.in_channels == spec.out_channels:
        return (weighted * on_map(weight.flatten(1), x)).sum(2)
    channels = spec.in_channels * spec.taps
    point = ConvSpec.parse(channels, spec.out_channels, 1, dims=spec.dims, groups=spec.groups)
    return static_conv(weighted.flatten(1, 2), weight.reshape(point.weight_shape), None, point)
