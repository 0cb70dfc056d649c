"""Context of every output position: the pixel in the middle of its window."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from dynaconv.spec import ConvSpec

__all__ = ["centre_average"]

_POOLS: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def centre_average(x: Tensor, spec: ConvSpec) -> Tensor:
    """The average of the pixels from the middle of one window up to that of the next: `(B, I, *S)` → `(B, I, *S_out)`.

    At stride one, the pixel in the middle. With the padding that keeps a map's size, and a size that the stride
    divides, average pooling of the stride's size. Pixels outside the map do not count; where there is no other, zero.

    Args:
        x: `(B, I, *S)`.
        spec: the geometry.
    """
    size, stride = tuple(x.shape[2:]), spec.stride
    first = [
        d * (k - 1) // 2 - before for k, d, (before, _) in zip(spec.kernel_size, spec.dilation, spec.pads, strict=True)
    ]
    if torch.compiler.is_compiling():
        # Never too little, and not a window too much: sizes do not matter to the graph.
        over = [
            o + sum(pads) - d * (k - 1) - 1 + s
            for o, pads, d, k, s in zip(first, spec.pads, spec.dilation, spec.kernel_size, stride, strict=True)
        ]
    else:
        over = [o + n * s - m for o, n, s, m in zip(first, spec.output_size(size), stride, size, strict=True)]
    # F.pad counts from the last dimension, and cuts where a width is negative.
    widths = [w for o, e in reversed([*zip(first, over, strict=True)]) for w in (-o, e)]
    cut = F.pad(x, widths) if any(widths) else x
    if prod(stride) == 1:
        return cut
    average = _POOLS[spec.dims](cut, stride)
    if max(widths) <= 0:
        return average
    share = _POOLS[spec.dims](F.pad(x.new_ones(1, 1, *size), widths), stride)
    return average / share.clamp(min=1 / prod(stride))
