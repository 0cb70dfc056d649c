"""The definition of `tapwise_conv`: tap by tap, sample by sample, in float64. Slow and obviously right."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from dynaconv.ops.static_conv import pad, static_conv
from dynaconv.spec import ConvSpec

__all__ = ["reference"]


def reference(x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
    """`y[b,o,p] = Σ_{i,t} taps[b, i // (I/G), t, p] · weight[o,i,t] · x[b, i, position of tap t at p]`, without bias.

    Args:
        x: `(B, I, *S)`.
        weight: `(O, I/g, *k)`.
        taps: `(B, G, T, *S_out)`.
        spec: the geometry.

    Returns:
        `(B, O, *S_out)` in the dtype of `x`.
    """
    out_size = spec.output_size(x.shape[2:])
    point = ConvSpec.parse(spec.in_channels, spec.out_channels, 1, dims=spec.dims, groups=spec.groups)
    outputs = [x.new_zeros(0, spec.out_channels, *out_size).double()]
    channels_per_tap_group = spec.in_channels // taps.shape[1]
    for b in range(x.shape[0]):
        padded = pad(x[b : b + 1].double(), spec)
        y = padded.new_zeros(1, spec.out_channels, *out_size)
        for t, place in enumerate(product(*(range(k) for k in spec.kernel_size))):
            # Where tap t stands at each output position: its own offset, then one stride per position.
            window: list[slice] = [slice(None), slice(None)]
            for offset, d, s, n in zip(place, spec.dilation, spec.stride, out_size, strict=True):
                window.append(slice(offset * d, offset * d + (n - 1) * s + 1, s))
            amount = taps[b, :, t].double().repeat_interleave(channels_per_tap_group, dim=0)
            one_tap = weight.flatten(2)[:, :, t].double()
            one_tap = one_tap.reshape(*one_tap.shape, *(1 for _ in place))
            y = y + static_conv(amount * padded[tuple(window)], one_tap, None, point)
        outputs.append(y)
    return torch.cat(outputs).to(x.dtype)
