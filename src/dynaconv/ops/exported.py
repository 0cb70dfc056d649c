"""The pixels under a kernel in operations that exporters know: no number in them depends on the map's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from dynaconv.ops.static_conv import pad, padded, static_conv
from dynaconv.spec import ConvSpec

__all__ = ["is_exporting", "pixels_at", "pixels_under"]

# With so many taps, a convolution that copies pixels does more than slices that are copied twice.
_MANY_TAPS = 16


def is_exporting(algorithm: str) -> bool:
    """Whether a model is being exported, and no algorithm is forced.

    The algorithms choose by size, write into buffers, or make the number of groups depend on the batch. While a model
    is exported, plain operations whose graph holds for all sizes stand in for them.
    """
    return algorithm == "auto" and torch.compiler.is_exporting()


def pixels_under(x: Tensor, spec: ConvSpec) -> Tensor:
    """The pixels under every tap at all output positions: `(B, I, *S)` → `(B, I, T, *S_out)`.

    A convolution of every channel with T kernels that have a single one each: runtimes know no faster way.
    """
    if spec.taps == 1 or spec.taps >= _MANY_TAPS:
        wide = pad(x, spec)
        return torch.stack([pixels_at(wide, at, spec) for at in product(*(range(k) for k in spec.kernel_size))], dim=2)
    x, spec = padded(x, spec)
    one_hot = torch.eye(spec.taps, dtype=x.dtype, device=x.device).reshape(spec.taps, 1, *spec.kernel_size)
    copies = replace(spec, out_channels=spec.in_channels * spec.taps, groups=spec.in_channels)
    ones = (1,) * (spec.dims + 1)
    pixels: Tensor = static_conv(x, one_hot.repeat(spec.in_channels, *ones), None, copies)
    under: Tensor = pixels.unflatten(1, (-1, spec.taps))
    return under


def pixels_at(wide: Tensor, place: Sequence[int], spec: ConvSpec) -> Tensor:
    """The pixels under one tap at all output positions, `(B, I, *S_out)`.

    Args:
        wide: `(B, I, *S)`, with the spec's padding.
        place: where the tap stands in the kernel.
        spec: the geometry.
    """
    window: list[slice] = [slice(None), slice(None)]
    for offset, k, d, s in zip(place, spec.kernel_size, spec.dilation, spec.stride, strict=True):
        # Ends count from the end of the map.
        window.append(slice(offset * d, (offset + 1 - k) * d or None, s))
    return wide[tuple(window)]
