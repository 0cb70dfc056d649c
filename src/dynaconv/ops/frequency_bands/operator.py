"""Weighting the bands as an operator: a few images at a time, whose parts stay in the cache, and are made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dynaconv.native import bands as native
from dynaconv.ops.frequency_bands.parts import LowParts
from dynaconv.ops.recompute import present
from dynaconv.spec import ConvSpec

__all__ = ["BandModulation"]

# 1 MiB of float32: an image, its parts and their gradients stay in the second cache.
BLOCK_NUMBERS = 2**18


@dataclass(frozen=True)
class BandModulation:
    """`weights_0 ⊙ x + Σ_j (weights_j − weights_{j-1}) ⊙ x_j`; an operator as `recompute.Operator` has it.

    Weights are `(B, G, J + 1, H, W)` for G equal groups of channels; x_j is the part of x below the j-th edge.

    Args:
        edges: J of them.
    """

    edges: tuple[int, ...]

    TENSORS = ("x", "weights")

    @property
    def NAME(self) -> str:
        """See `recompute.Operator`."""
        return "_".join(("bands", *map(str, self.edges)))

    def weight_shape(self, tensors: Sequence[Tensor | None]) -> Sequence[int]:
        """See `recompute.Operator`; every channel by itself."""
        x, _ = present(tensors)
        return (x.shape[1], 1, 1, 1)

    def forward(self, tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str) -> Tensor:
        """See `recompute.Operator`."""
        x, weights = present(tensors)
        if not native.why_not(x, self.edges):
            return native.forward(x, weights, self.edges)
        y, low = torch.empty_like(x), LowParts.of(self.edges, x)
        for samples in _blocks(x):
            image, weight = x[samples], weights[samples]
            found = _by_group(y[samples], weights)
            torch.mul(_by_group(image, weights), weight[:, :, None, 0], out=found)
            for part, step in zip(low.of_image(image), _steps(weight), strict=True):
                found.addcmul_(_by_group(part, weights), step)
        return y

    def backward(
        self,
        gradient: Tensor,
        tensors: Sequence[Tensor | None],
        spec: ConvSpec,
        algorithm: str,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """See `recompute.Operator`."""
        x, weights = present(tensors)
        if not native.why_not(x, self.edges):
            found = native.backward(gradient, x, weights, self.edges)
        else:
            found = self._in_blocks(gradient, x, weights)
        return [g if w else None for g, w in zip(found, wanted, strict=True)]

    def formula(self, tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
        """See `recompute.Operator`."""
        x, weights = present(tensors)
        return weighted(x, LowParts.of(self.edges, x).of_image(x), weights)

    def _in_blocks(self, gradient: Tensor, x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Both gradients."""
        to_x, to_weights, low = torch.empty_like(x), torch.zeros_like(weights), LowParts.of(self.edges, x)
        for samples in _blocks(x):
            image, weight = x[samples], weights[samples]
            upstream = _by_group(gradient[samples], weights)
            shares = [upstream * step for step in _steps(weight)]
            to_x[samples] = low.total([share.flatten(1, 2) for share in shares])
            _by_group(to_x[samples], weights).addcmul_(upstream, weight[:, :, None, 0])
            found = to_weights[samples]
            found[:, :, 0] = (upstream * _by_group(image, weights)).sum(2)
            for j, part in enumerate(low.of_image(image), start=1):
                amount = (upstream * _by_group(part, weights)).sum(2)
                found[:, :, j] += amount
                found[:, :, j - 1] -= amount
        return to_x, to_weights


def weighted(x: Tensor, parts: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The formula for parts that are there, every one read once."""
    y = _by_group(x, weights) * weights[:, :, None, 0]
    for part, step in zip(parts, _steps(weights), strict=True):
        y = y + _by_group(part, weights) * step
    return y.flatten(1, 2)


def _steps(weights: Tensor) -> Iterator[Tensor]:
    """From the weight of each band to that of the next, `(B, G, 1, H, W)`."""
    return (weights[:, :, None, j] - weights[:, :, None, j - 1] for j in range(1, weights.shape[2]))


def _by_group(x: Tensor, weights: Tensor) -> Tensor:
    by_group: Tensor = x.unflatten(1, (weights.shape[1], -1))
    return by_group


def _blocks(x: Tensor) -> Iterator[slice]:
    some = max(1, BLOCK_NUMBERS // max(1, x[:1].numel()))
    return (slice(first, min(first + some, len(x))) for first in range(0, len(x), some))
