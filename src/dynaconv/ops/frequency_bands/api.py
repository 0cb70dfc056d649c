"""Images split into frequency bands, each weighted by a map of gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from dynaconv.errors import ShapeError
from dynaconv.ops.frequency_bands.operator import BandModulation, weighted
from dynaconv.ops.recompute import recomputed
from dynaconv.spec import ConvSpec

__all__ = ["modulate_bands"]

_PUBLISHED_SIZE = 64


def modulate_bands(x: Tensor, gates: Tensor, edges: Sequence[int], *, as_published: bool = False) -> Tensor:
    """`Σ_j gates_j ⊙ (x_{j-1} − x_j)`, plus what is left, with x_0 = x and x_j the part of x below the j-th edge.

    An edge k keeps the frequencies of at most one period in 2k pixels, in both directions, which makes the low-pass a
    product with one small matrix on each side: exact for every size, without a Fourier transform. Computed in at least
    float32.

    Args:
        x: `(B, C, H, W)`.
        gates: `(B, G, J, H, W)`, for each of G equal groups of channels; with one more than edges, the last is that of
            the part below all edges, which otherwise stays as it is.
        edges: J integers >= 2, rising: lower and lower frequencies.
        as_published: by Fourier transforms with the authors' masks, which are made for 64×64 maps and stretched, so
            that at other sizes edges lie elsewhere and not symmetrically; where rounding has it, as at edge 2, the
            highest frequency is left out.

    Raises:
        ShapeError: the gates do not fit.

    Example:
        >>> x = torch.randn(1, 2, 8, 8)
        >>> torch.allclose(modulate_bands(x, torch.ones(1, 1, 2, 8, 8), (2, 4)), x, atol=1e-6)
        True
    """
    batch, channels, *size = x.shape
    groups, counts = gates.shape[1], (len(edges), len(edges) + 1)
    if gates.dim() != 5 or (gates.shape[0], *gates.shape[3:]) != (batch, *size) or gates.shape[2] not in counts:
        raise ShapeError("gates", gates.shape, f"({batch}, G, {counts[0]} or {counts[1]}, {size[0]}, {size[1]})")
    if channels % groups:
        raise ShapeError("gates", gates.shape, f"a number of groups that divides the {channels} channels")
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    weights = gates.to(values.dtype)
    if gates.shape[2] == len(edges):
        weights = torch.cat([weights, torch.ones_like(weights[:, :, :1])], dim=2)
    with _without_autocast(x.device.type):
        if as_published:
            y = weighted(values, _published_parts(values, edges), weights)
        elif torch.compiler.is_compiling() or torch.compiler.is_exporting():
            # A compiler plans memory itself.
            y = BandModulation(tuple(edges)).formula((values, weights), _each_channel(x))
        else:
            y = _modulation(tuple(edges))(values, weights, _each_channel(x), "auto")
    return y.to(x.dtype)


@cache
def _modulation(edges: tuple[int, ...]) -> Callable[..., Tensor]:
    return recomputed(BandModulation(edges))


def _each_channel(x: Tensor) -> ConvSpec:
    channels = x.shape[1]
    return ConvSpec.parse(channels, channels, 1, dims=2, groups=channels)


def _without_autocast(device: str) -> AbstractContextManager[object]:
    # Some devices, such as meta, have no autocast to switch off.
    enabled = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if enabled else nullcontext()


def _published_parts(x: Tensor, edges: Sequence[int]) -> list[Tensor]:
    """The authors' parts: masks of 64×64 maps stretched to the map's spectrum by nearest neighbours."""
    if not len(x):
        # Fourier transforms refuse empty batches.
        return [x] * len(edges)
    height, width = x.shape[2:]
    n = _PUBLISHED_SIZE
    down, across = torch.fft.fftfreq(n, device=x.device).abs(), torch.fft.rfftfreq(n, device=x.device)
    largest = torch.maximum(down[:, None], across)[None, None].float()
    frequency = F.interpolate(largest, size=(height, width // 2 + 1), mode="nearest")
    spectrum = torch.fft.rfft2(x, norm="ortho")
    # In float32, where the small number counts from edge 4 on.
    masks = [frequency < 0.5 / edge + 1e-8 for edge in edges]
    return [torch.fft.irfft2(spectrum * mask, s=(height, width), norm="ortho") for mask in masks]
