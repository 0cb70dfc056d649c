"""The ordinary convolution that every other one is built on, its gradients, and padding of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dynaconv.spec import ConvSpec

__all__ = ["pad", "padded", "static_conv", "static_input_gradient", "static_weight_gradient"]

_CONVS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_FILL = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def pad(x: Tensor, spec: ConvSpec) -> Tensor:
    """`x: (B, I, *S)` with the spec's padding written out."""
    if not any(map(any, spec.pads)):
        return x
    # F.pad counts from the last dimension.
    widths = [width for pads in reversed(spec.pads) for width in pads]
    return F.pad(x, widths, mode=_FILL[spec.padding_mode])


def padded(x: Tensor, spec: ConvSpec) -> tuple[Tensor, ConvSpec]:
    """`x` and the spec, with padding that a convolution cannot add itself written out."""
    return (x, spec) if spec.symmetric_padding is not None else (pad(x, spec), spec.unpadded())


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
    x, spec = padded(x, spec)
    return _CONVS[spec.dims](x, weight, bias, spec.stride, spec.symmetric_padding, spec.dilation, groups or spec.groups)


def static_input_gradient(
    gradient: Tensor, weight: Tensor, size: Sequence[int], spec: ConvSpec, *, groups: int | None = None
) -> Tensor:
    """The gradient of `static_conv`'s input from that of its output.

    Args:
        gradient: `(B, O, *S_out)`.
        weight: `(O, I/groups, *k)`.
        size: the input's shape, `(B, I, *S)`.
        spec: the geometry; zeros as padding, as many on both sides.
        groups: the spec's, unless given.
    """
    # The input's values do not matter to its own gradient: one number, expanded, stands for them.
    return _gradients(gradient, gradient.new_empty(1).expand(*size), weight, spec, groups, (True, False))[0]


def static_weight_gradient(
    gradient: Tensor, x: Tensor, shape: Sequence[int], spec: ConvSpec, *, groups: int | None = None
) -> Tensor:
    """The gradient of `static_conv`'s weight from that of its output.

    Args:
        gradient: `(B, O, *S_out)`.
        x: `(B, I, *S)`.
        shape: the weight's, `(O, I/groups, *k)`.
        spec: the geometry; zeros as padding, as many on both sides.
        groups: the spec's, unless given.
    """
    return _gradients(gradient, x, gradient.new_empty(1).expand(*shape), spec, groups, (False, True))[1]


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, spec: ConvSpec, groups: int | None, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    padding = spec.symmetric_padding
    assert padding is not None, "asymmetric or non-zero padding is written out before gradients are taken"
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        None,
        spec.stride,
        padding,
        spec.dilation,
        False,
        (0,) * spec.dims,
        groups or spec.groups,
        (*wanted, False),
    )
    return found[0], found[1]
