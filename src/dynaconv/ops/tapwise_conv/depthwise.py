"""`tapwise_conv` of single channels: one tap after the other is multiplied and added, and nothing is copied.

A few samples at a time, so that the sum stays in the cache while the taps pass over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from dynaconv.ops.static_conv import pad
from dynaconv.ops.windows import at_tap, windows
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward", "samples_at_once"]

# 1 MiB of float32.
_BLOCK_NUMBERS = 2**18


def samples_at_once(spec: ConvSpec, positions: int) -> int:
    """How many samples with so many output positions pass together."""
    return max(1, _BLOCK_NUMBERS // (spec.in_channels * positions))


def forward(x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
    """`y[b,c,p] = Σ_t taps[b, c // (C/G), t, p] · weight[c,t] · x[b, c, position of tap t at p]`.

    Args:
        x: `(B, C, *S)`.
        weight: `(C, 1, *k)`. One number, expanded to that, is multiplied once: so involution pays for no weight.
        taps: `(B, G, T, *S_out)`.
        spec: the geometry, of C groups and C output channels.

    Returns:
        `(B, C, *S_out)`.
    """
    y = x.new_empty(*x.shape[:2], *taps.shape[3:])
    of_tap = _weights(weight, taps)
    for block in _blocks(taps, spec):
        amounts = _wide(taps[block]).unsqueeze(3)
        total = _grouped(torch.zeros_like(y[block], dtype=amounts.dtype), taps)
        for t, pixels in enumerate(_pixels(_wide(x[block]), taps, spec)):
            total.addcmul_(pixels if of_tap is None else pixels * of_tap[t], amounts[:, :, t])
        y[block] = (total if of_tap is not None else total * _first(weight)).flatten(1, 2)
    return y


def backward(
    gradient: Tensor, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec, wanted: Sequence[bool]
) -> tuple[Tensor, Tensor | None, Tensor]:
    """The gradients of all three tensors; that of the weight only where it is wanted."""
    to_x, to_taps = torch.empty_like(x), torch.empty_like(taps)
    to_weight = torch.zeros_like(_wide(weight).flatten(1)) if wanted[1] else None
    of_tap = _weights(weight, taps)
    for block in _blocks(taps, spec):
        amounts, upstream = _wide(taps[block]).unsqueeze(3), _grouped(_wide(gradient[block]), taps)
        through = upstream * _first(weight)
        to_padded = torch.zeros_like(pad(_wide(x[block]), spec))
        to_pixels = _pixels(to_padded, taps, spec.unpadded())
        for t, (pixels, found) in enumerate(zip(_pixels(_wide(x[block]), taps, spec), to_pixels, strict=True)):
            through = through if of_tap is None else upstream * of_tap[t]
            to_taps[block, :, t] = (through * pixels).sum(2)
            found.addcmul_(through, amounts[:, :, t])
            if to_weight is not None:
                to_weight[:, t] += (upstream * pixels * amounts[:, :, t]).flatten(3).sum((0, 3)).flatten()
        inner = (slice(before, before + n) for n, (before, _) in zip(x.shape[2:], spec.pads, strict=True))
        to_x[block] = to_padded[(slice(None), slice(None), *inner)]
    return to_x, None if to_weight is None else to_weight.reshape(weight.shape).to(weight.dtype), to_taps


def _blocks(taps: Tensor, spec: ConvSpec) -> Iterator[slice]:
    samples = samples_at_once(spec, prod(taps.shape[3:]))
    for first in range(0, taps.shape[0], samples):
        yield slice(first, first + samples)


def _pixels(x: Tensor, taps: Tensor, spec: ConvSpec) -> Iterator[Tensor]:
    """The pixels under every tap in turn, a view of the padded input: `(b, G, C/G, *S_out)`."""
    view = windows(pad(x, spec), spec.unpadded())
    for place in product(*(range(k) for k in spec.kernel_size)):
        yield _grouped(at_tap(view, place), taps)


def _grouped(values: Tensor, taps: Tensor) -> Tensor:
    """`(b, C, *S)` → `(b, G, C/G, *S)`."""
    grouped: Tensor = values.unflatten(1, (taps.shape[1], -1))
    return grouped


def _weights(weight: Tensor, taps: Tensor) -> Tensor | None:
    """The weights of every tap, `(T, G, C/G, 1, ...)`; `None` where all are one number, expanded."""
    if not any(weight.stride()):
        return None
    return _wide(weight).flatten(1).T.reshape(taps.shape[2], taps.shape[1], -1, *(1 for _ in taps.shape[3:]))


def _first(weight: Tensor) -> Tensor:
    """The number that an expanded weight repeats."""
    return _wide(weight.flatten()[0])


def _wide(values: Tensor) -> Tensor:
    """In float32 if the type is shorter: the sum over many taps would lose too much."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
