"""The spec of a convolution that is given as a function call: sizes from the tensors, the rest from arguments."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from dynaconv.errors import ShapeError
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["spec_from_numbers", "spec_of"]


def spec_of(
    x: Tensor,
    name: str,
    weight: Tensor,
    leading: int,
    *,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    padding_mode: PaddingMode,
) -> ConvSpec:
    """The spec for `x: (B, I, *S)` and a weight of `leading` extra dimensions before `(O, I/groups, *k)`.

    Args:
        x: the input.
        name: the weight's argument name, for the error.
        weight: the weight.
        leading: how many dimensions stand before `(O, I/groups, *k)`.
        stride: as in `ConvSpec.parse`, like the arguments below.
        padding: see there.
        dilation: see there.
        groups: see there.
        padding_mode: see there.

    Raises:
        ShapeError: `x` or the weight has a rank that is no convolution's.
        ArgumentError: another argument is not allowed.
    """
    dims = x.dim() - 2
    if dims not in (1, 2, 3):
        raise ShapeError("x", x.shape, "(B, I, *S) with one, two or three spatial dimensions")
    if weight.dim() != leading + 2 + dims:
        lead = "(K or B, " if leading else "("
        raise ShapeError(name, weight.shape, f"{lead}O, I/groups, *k) with {dims} spatial dimensions, as x has")
    out_channels, _, *size = weight.shape[leading:]
    return ConvSpec.parse(
        x.shape[1],
        out_channels,
        size,
        dims=dims,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )


@lru_cache(maxsize=4096)
def spec_from_numbers(in_channels: int, weight_shape: tuple[int, ...], numbers: tuple[int, ...]) -> ConvSpec:
    """The spec whose `numbers` these are, for a weight of shape `(O, I/g, *k)`."""
    out_channels, _, *size = weight_shape
    dims = len(size)
    return ConvSpec.parse(
        in_channels,
        out_channels,
        size,
        dims=dims,
        stride=numbers[:dims],
        padding=numbers[dims : 2 * dims],
        dilation=numbers[2 * dims : 3 * dims],
        groups=numbers[-1],
    )
