"""`tapwise_conv` some taps at a time: the pixels under them, weighted, are the channels of a 1×1 convolution.

All taps at once is one large product over a copy of the input T times its size; one tap at a time needs no more than
the input again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dynaconv.ops.static_conv import pad
from dynaconv.ops.windows import add_windows, at_tap, windows
from dynaconv.spec import ConvSpec

__all__ = ["TapBlocks"]


@dataclass(frozen=True)
class _Block:
    """Some taps: their numbers t, the pixels under them `(B, I, t, P)`, their weights `(g, O/g, I/g·t)`."""

    taps: slice
    pixels: Tensor
    weight: Tensor


class TapBlocks:
    """The forward and the backward pass over blocks of taps.

    Args:
        at_once: taps in a block; `None` is all.
    """

    def __init__(self, at_once: int | None) -> None:
        self._at_once = at_once

    def forward(self, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
        """Convolve `x: (B, I, *S)` with `weight: (O, I/g, *k)` under `taps: (B, G, T, *S_out)`."""
        batch, groups = x.shape[0], spec.groups
        y = x.new_zeros(batch, groups, spec.out_channels // groups, taps[0, 0, 0].numel())
        for block in self._blocks(x, weight, spec):
            y += block.weight @ _channels(_weighted(block.pixels, taps, block.taps), groups)
        return y.reshape(batch, spec.out_channels, *taps.shape[3:])

    def backward(
        self, gradient: Tensor, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec, wanted: Sequence[bool]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of all three tensors."""
        batch, groups, in_per_group = x.shape[0], spec.groups, spec.in_channels // spec.groups
        upstream = gradient.flatten(2).unflatten(1, (groups, -1))
        to_pixels, to_weight, to_taps = [], [], []
        for block in self._blocks(x, weight, spec):
            weighted = _channels(_weighted(block.pixels, taps, block.taps), groups)
            to_weight.append(_summed_product(upstream, weighted).unflatten(2, (in_per_group, -1)))
            to_weighted = block.weight.transpose(1, 2) @ upstream
            to_weighted = to_weighted.unflatten(2, (in_per_group, -1)).flatten(1, 2)
            shared = (batch, taps.shape[1], -1, *block.pixels.shape[2:])
            to_each = (to_weighted * block.pixels).reshape(shared)
            to_taps.append(to_each.sum(2) if to_each.shape[2] > 1 else to_each.squeeze(2))
            to_pixels.append(_weighted(to_weighted, taps, block.taps))
        pixels = _joined(to_pixels, 2).reshape(batch, spec.in_channels, *spec.kernel_size, *taps.shape[3:])
        to_x = add_windows(pixels, x.shape[2:], spec)
        return to_x, _joined(to_weight, 3).reshape(weight.shape), _joined(to_taps, 2).reshape(taps.shape)

    def _blocks(self, x: Tensor, weight: Tensor, spec: ConvSpec) -> Iterator[_Block]:
        # Padded once: `windows` of an input that is padded already is a view.
        view = windows(pad(x, spec), spec.unpadded())
        at_once = self._at_once or spec.taps
        grouped = weight.flatten(2).unflatten(0, (spec.groups, -1))
        out_size = view.shape[2 + spec.dims :]
        for first in range(0, spec.taps, at_once):
            part = slice(first, min(first + at_once, spec.taps))
            places = [_place(t, spec.kernel_size) for t in range(part.start, part.stop)]
            under = [at_tap(view, place) for place in places]
            # One tap needs no copy beyond what its stride asks for.
            pixels = torch.stack(under, dim=2) if len(under) > 1 else under[0].unsqueeze(2)
            yield _Block(part, pixels.reshape(*pixels.shape[:3], out_size.numel()), grouped[..., part].flatten(2))


def _summed_product(a: Tensor, b: Tensor) -> Tensor:
    """`Σ_b a[b] b[b]ᵀ` over `(B, g, M, P)` and `(B, g, N, P)`: `(g, M, N)`."""
    if a.shape[2] > a.shape[3]:
        # A product per sample would be larger than both with their samples side by side.
        return a.permute(1, 2, 0, 3).flatten(2) @ b.permute(1, 0, 3, 2).flatten(1, 2)
    return (a @ b.transpose(2, 3)).sum(0)


def _joined(parts: list[Tensor], dim: int) -> Tensor:
    """The parts side by side; one alone is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def _place(tap: int, kernel_size: tuple[int, ...]) -> tuple[int, ...]:
    """Where a tap stands in the kernel."""
    place = []
    for k in reversed(kernel_size):
        tap, offset = divmod(tap, k)
        place.append(offset)
    return tuple(reversed(place))


def _weighted(pixels: Tensor, taps: Tensor, part: slice) -> Tensor:
    """`pixels: (B, I, t, P)` times the taps of their channels' groups."""
    amounts = taps[:, :, part].flatten(3).unsqueeze(2)
    weighted: Tensor = pixels.unflatten(1, (taps.shape[1], -1)) * amounts
    return weighted.flatten(1, 2)


def _channels(pixels: Tensor, groups: int) -> Tensor:
    """`(B, I, t, P)` → `(B, g, I/g·t, P)`."""
    grouped: Tensor = pixels.unflatten(1, (groups, -1))
    return grouped.flatten(2, 3)
