"""The pixels under every tap as slices, for export: no number in them depends on the map's size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from dynaconv.ops.static_conv import pad
from dynaconv.spec import ConvSpec

__all__ = ["is_exporting", "slice_at", "slices"]


def is_exporting(algorithm: str) -> bool:
    """Whether a model is being exported, and no algorithm is forced.

    The algorithms choose by size, write into buffers, or make the number of groups depend on the batch. While a model
    is exported, plain operations whose graph holds for all sizes stand in for them.
    """
    return algorithm == "auto" and torch.compiler.is_exporting()


def slices(x: Tensor, spec: ConvSpec) -> list[Tensor]:
    """The pixels under every tap at all output positions, T times `(B, I, *S_out)`.

    Args:
        x: `(B, I, *S)`.
        spec: the geometry.
    """
    padded = pad(x, spec)
    return [slice_at(padded, place, spec) for place in product(*(range(k) for k in spec.kernel_size))]


def slice_at(padded: Tensor, place: Sequence[int], spec: ConvSpec) -> Tensor:
    """The pixels under one tap at all output positions, `(B, I, *S_out)`.

    Args:
        padded: `(B, I, *S)`, with the spec's padding.
        place: where the tap stands in the kernel.
        spec: the geometry.
    """
    window: list[slice] = [slice(None), slice(None)]
    for offset, k, d, s in zip(place, spec.kernel_size, spec.dilation, spec.stride, strict=True):
        # Ends count from the end of the map.
        window.append(slice(offset * d, (offset + 1 - k) * d or None, s))
    return padded[tuple(window)]
