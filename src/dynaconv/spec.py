"""`ConvSpec`: a convolution's geometry, parsed and checked once, used at every forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, get_args

from dynaconv.errors import ArgumentError

__all__ = ["ConvSpec", "Ints", "Padding", "PaddingMode"]

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Ints = int | Sequence[int]
Padding = Ints | Literal["same", "valid"]


def _integers(name: str, value: Ints, dims: int, least: int) -> tuple[int, ...]:
    """`value` as one integer per spatial dimension, each at least `least`."""
    allowed = f"an integer >= {least}, or {dims} of them"
    given: tuple[object, ...]
    if isinstance(value, int):
        given = (value,) * dims
    elif isinstance(value, Sequence) and not isinstance(value, str):
        given = tuple(value)
    else:
        raise ArgumentError(name, value, allowed)
    numbers = tuple(v for v in given if isinstance(v, int) and not isinstance(v, bool) and v >= least)
    if len(given) != dims or len(numbers) != dims:
        raise ArgumentError(name, value, allowed)
    return numbers


@dataclass(frozen=True)
class ConvSpec:
    """The geometry of a 1-, 2- or 3-dimensional convolution; make one with `ConvSpec.parse`.

    Attributes:
        in_channels: I, channels of the input.
        out_channels: O, channels of the output.
        kernel_size: taps per spatial dimension.
        stride: step per spatial dimension.
        pads: (before, after) per spatial dimension, in input pixels.
        dilation: distance between taps per spatial dimension.
        groups: input and output channels are split into so many independent groups.
        padding_mode: what the padding holds.
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    padding_mode: PaddingMode

    @classmethod
    def parse(
        cls,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        *,
        dims: int,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
    ) -> ConvSpec:
        """A checked spec from arguments as `nn.Conv1d`, `nn.Conv2d` and `nn.Conv3d` take them.

        Args:
            in_channels: channels of the input, >= 1.
            out_channels: channels of the output, >= 1.
            kernel_size: taps, one integer or one per dimension.
            dims: spatial dimensions, 1, 2 or 3.
            stride: step, one integer or one per dimension.
            padding: pixels on both sides, one integer or one per dimension; `"valid"` is none; `"same"` keeps the
                map's size (stride 1 only; an even kernel gets the odd pixel after, as in PyTorch).
            dilation: distance between taps, one integer or one per dimension.
            groups: must divide both channel counts.
            padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.

        Raises:
            ArgumentError: naming the argument, its value and what is allowed.
        """
        if dims not in (1, 2, 3):
            raise ArgumentError("dims", dims, "1, 2 or 3")
        (in_channels,) = _integers("in_channels", in_channels, 1, 1)
        (out_channels,) = _integers("out_channels", out_channels, 1, 1)
        (groups,) = _integers("groups", groups, 1, 1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ArgumentError("groups", groups, f"a divisor of {name}={channels}")
        if padding_mode not in get_args(PaddingMode):
            raise ArgumentError("padding_mode", padding_mode, f"one of {', '.join(get_args(PaddingMode))}")
        taps = _integers("kernel_size", kernel_size, dims, 1)
        steps = _integers("stride", stride, dims, 1)
        distances = _integers("dilation", dilation, dims, 1)
        pads = _pads(padding, taps, steps, distances)
        return cls(in_channels, out_channels, taps, steps, pads, distances, groups, padding_mode)

    @property
    def dims(self) -> int:
        """Spatial dimensions: 1, 2 or 3."""
        return len(self.kernel_size)

    @property
    def taps(self) -> int:
        """Taps of one kernel slice: the product of `kernel_size`."""
        return prod(self.kernel_size)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """`(O, I/groups, *kernel_size)`."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    @property
    def weight_count(self) -> int:
        """Numbers in one static kernel."""
        return prod(self.weight_shape)

    @property
    def symmetric_padding(self) -> tuple[int, ...] | None:
        """Zeros on each side per dimension if the convolution itself can add them, else `None`."""
        if self.padding_mode != "zeros" or any(before != after for before, after in self.pads):
            return None
        return tuple(before for before, _ in self.pads)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Stride, padding and dilation per dimension, then groups; for symmetric zero padding only."""
        padding = self.symmetric_padding
        assert padding is not None, "other padding is written out first"
        return (*self.stride, *padding, *self.dilation, self.groups)

    def unpadded(self) -> ConvSpec:
        """The same geometry for an input that is padded already."""
        return replace(self, pads=((0, 0),) * self.dims, padding_mode="zeros")

    def output_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Spatial size of the output for an input of spatial size `size`.

        Raises:
            ArgumentError: if the padded input is smaller than the kernel.
        """
        out = tuple(
            (n + before + after - d * (k - 1) - 1) // s + 1
            for n, (before, after), k, s, d in zip(
                size, self.pads, self.kernel_size, self.stride, self.dilation, strict=True
            )
        )
        if any(n < 1 for n in out):
            least = tuple(
                d * (k - 1) + 1 - before - after
                for (before, after), k, d in zip(self.pads, self.kernel_size, self.dilation, strict=True)
            )
            raise ArgumentError("input size", tuple(size), f"at least {least}, the kernel's extent less padding")
        return out

    def macs(self, size: Sequence[int]) -> int:
        """Multiply-adds of the static convolution for one sample whose input has spatial size `size`."""
        return prod(self.output_size(size)) * self.weight_count


def _pads(
    padding: Padding, taps: tuple[int, ...], steps: tuple[int, ...], distances: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """(before, after) per dimension for a `padding` argument."""
    if padding == "valid":
        return ((0, 0),) * len(taps)
    if padding == "same":
        if any(s != 1 for s in steps):
            raise ArgumentError("padding", padding, f"a number, since stride={steps} changes the map's size")
        totals = [d * (k - 1) for k, d in zip(taps, distances, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ArgumentError("padding", padding, '"same", "valid", an integer >= 0, or one per dimension')
    return tuple((p, p) for p in _integers("padding", padding, len(taps), 0))
