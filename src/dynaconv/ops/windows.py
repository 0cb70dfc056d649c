"""The pixels under a kernel at every output position, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from torch import Tensor

from dynaconv.ops.static_conv import pad
from dynaconv.spec import ConvSpec

__all__ = ["add_to_padded", "add_windows", "at_tap", "inner", "windows"]


def windows(x: Tensor, spec: ConvSpec) -> Tensor:
    """The T pixels under the kernel at each output position: `(B, I, *k, *S_out)`, a view of the padded input.

    Args:
        x: `(B, I, *S)`.
        spec: the geometry.
    """
    view = pad(x, spec)
    for axis, (k, s, d) in enumerate(zip(spec.kernel_size, spec.stride, spec.dilation, strict=True), start=2):
        view = view.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
    return view.permute(0, 1, *range(2 + spec.dims, 2 + 2 * spec.dims), *range(2, 2 + spec.dims))


def at_tap(values: Tensor, place: Sequence[int]) -> Tensor:
    """What `values: (B, I, *k, ...)` hold for the tap at a place in the kernel: `(B, I, ...)`."""
    for offset in place:
        values = values.select(2, offset)
    return values


def add_windows(values: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """The adjoint of `windows`: every value is added to the pixel that its tap stands on.

    Args:
        values: `(B, I, *k, *S_out)`.
        size: `*S` of the input.
        spec: the geometry; padding with zeros only.

    Returns:
        `(B, I, *S)`.
    """
    batch, channels = values.shape[:2]
    if spec.taps == 1 and set(spec.stride) == {1} and not any(map(any, spec.pads)):
        return values.reshape(batch, channels, *size)
    padded = [n + before + after for n, (before, after) in zip(size, spec.pads, strict=True)]
    total = values.new_zeros(batch, channels, *padded)
    add_to_padded(total, values, spec)
    return inner(total, size, spec)


def add_to_padded(total: Tensor, values: Tensor, spec: ConvSpec) -> None:
    """Add every value to the pixel that its tap stands on.

    Args:
        total: `(B, I, *S)` with the spec's padding.
        values: `(B, I, *k, *S_out)`.
        spec: the geometry.
    """
    for place in product(*(range(k) for k in spec.kernel_size)):
        window: list[slice] = [slice(None), slice(None)]
        for offset, d, s, n in zip(place, spec.dilation, spec.stride, values.shape[2 + spec.dims :], strict=True):
            window.append(slice(offset * d, offset * d + (n - 1) * s + 1, s))
        total[tuple(window)] += at_tap(values, place)


def inner(padded: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """`(B, I, *S)` without the spec's padding; a view."""
    window = [slice(before, before + n) for n, (before, _) in zip(size, spec.pads, strict=True)]
    return padded[(slice(None), slice(None), *window)]
