"""`tapwise_conv` a few samples at a time: the copies of the windows stay small, and so do gradients of the weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import torch
from torch import Tensor

from dynaconv.ops.tapwise_conv.tap_blocks import TapBlocks
from dynaconv.spec import ConvSpec

__all__ = ["SampleBlocks"]


class SampleBlocks:
    """The forward and the backward pass over blocks of samples, all taps at once.

    Args:
        numbers: a block's windows hold about so many numbers.
    """

    def __init__(self, numbers: int) -> None:
        self._numbers, self._taps = numbers, TapBlocks(None)

    def samples(self, spec: ConvSpec, positions: int) -> int:
        """How many samples with so many output positions make a block."""
        return max(1, self._numbers // (spec.in_channels * spec.taps * positions))

    def forward(self, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec) -> Tensor:
        """Convolve `x: (B, I, *S)` with `weight: (O, I/g, *k)` under `taps: (B, G, T, *S_out)`."""
        y = x.new_empty(x.shape[0], spec.out_channels, *taps.shape[3:])
        for block in self._blocks(taps, spec):
            y[block] = self._taps.forward(x[block], weight, taps[block], spec)
        return y

    def backward(
        self, gradient: Tensor, x: Tensor, weight: Tensor, taps: Tensor, spec: ConvSpec, wanted: Sequence[bool]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of all three tensors."""
        to_x, to_weight, to_taps = torch.empty_like(x), torch.zeros_like(weight), torch.empty_like(taps)
        for block in self._blocks(taps, spec):
            found = self._taps.backward(gradient[block], x[block], weight, taps[block], spec, wanted)
            to_x[block], to_taps[block] = found[0], found[2]
            to_weight += found[1]
        return to_x, to_weight, to_taps

    def _blocks(self, taps: Tensor, spec: ConvSpec) -> Iterator[slice]:
        samples = self.samples(spec, prod(taps.shape[3:]))
        for first in range(0, taps.shape[0], samples):
            yield slice(first, first + samples)
