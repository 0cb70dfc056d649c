"""The ordinary convolution that every other one is built on, with padding of every kind."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from dynaconv.spec import ConvSpec

__all__ = ["pad", "static_conv"]

_CONVS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_FILL = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def pad(x: Tensor, spec: ConvSpec) -> Tensor:
    """`x: (B, I, *S)` with the spec's padding written out."""
    if not any(map(any, spec.pads)):
        return x
    # F.pad counts from the last dimension.
    widths = [width for pads in reversed(spec.pads) for width in pads]
    return F.pad(x, widths, mode=_FILL[spec.padding_mode])


def static_conv(x: Tensor, weight: Tensor, bias: Tensor | None, spec: ConvSpec, *, groups: int | None = None) -> Tensor:
    """The convolution of `x: (B, I, *S)` with one kernel for all samples.

    Args:
        x: `(B, I, *S)`.
        weight: `(O, I/groups, *k)`.
        bias: `(O,)` or `None`.
        spec: stride, padding and dilation are taken from here; the channel counts are the weight's.
        groups: the spec's, unless given.

    Returns:
        `(B, O, *S_out)`.
    """
    padding = spec.symmetric_padding
    if padding is None:
        x, padding = pad(x, spec), (0,) * spec.dims
    return _CONVS[spec.dims](x, weight, bias, spec.stride, padding, spec.dilation, groups or spec.groups)
