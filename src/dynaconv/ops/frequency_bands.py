"""Images split into frequency bands, each weighted by a map of gates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from dynaconv.errors import ShapeError

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
    with _without_autocast(x.device.type):
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        parts = (_published_parts if as_published else _parts)(values, edges)
    maps = gates.to(values.dtype).unbind(2)
    last = [maps[-1]] if len(maps) > len(edges) else [torch.ones_like(maps[0])]
    weights = [*maps[: len(edges)], *last]
    # Band by band: gate_1 (x − x_1) + gate_2 (x_1 − x_2) + … with every part read once.
    y = _gated(values, weights[0])
    for j, part in enumerate(parts):
        y = y + _gated(part, weights[j + 1] - weights[j])
    return y.to(x.dtype)


def _without_autocast(device: str) -> AbstractContextManager[object]:
    # Some devices, such as meta, have no autocast to switch off.
    enabled = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if enabled else nullcontext()


def _gated(x: Tensor, gate: Tensor) -> Tensor:
    """`(B, C, H, W)` times `(B, G, H, W)`."""
    by_group: Tensor = x.unflatten(1, (gate.shape[1], -1)) * gate.unsqueeze(2)
    return by_group.flatten(1, 2)


def _parts(x: Tensor, edges: Sequence[int]) -> list[Tensor]:
    """The parts of x below every edge, from the coefficients of its slow waves."""
    height, width = x.shape[2:]
    rows, columns = (_waves(size, _highest(size, edges[0]), x) for size in (height, width))
    # Transposed in between: a product with the last dimension is one large product.
    waves = ((x @ columns).transpose(2, 3) @ rows).transpose(2, 3)
    found = []
    for edge in edges:
        down, across = (2 * (_highest(size, edge) + 1) for size in (height, width))
        half = (waves[..., :down, :across].transpose(2, 3) @ rows[:, :down].T).transpose(2, 3)
        found.append(half @ columns[:, :across].T)
    return found


def _highest(size: int, edge: int) -> int:
    """The most periods on `size` pixels that are at most one in `2 * edge`."""
    return size // (2 * edge)


def _waves(size: int, highest: int, like: Tensor) -> Tensor:
    """Cosine and sine of every frequency from none to the highest, `(size, 2·(highest + 1))`.

    The first sine is zero, so that there is a column more than needed but never a matrix without columns; the others
    are orthonormal.
    """
    position = torch.arange(size, device=like.device)[:, None]
    frequency = torch.arange(highest + 1, device=like.device)
    # Whole periods are taken off while the numbers are integers, so that angles are exact. Exporters do not know the
    # remainder by a size that is free.
    steps = position * frequency
    angle = (steps - steps // size * size).to(like.dtype) / size * (2 * pi)
    length = (torch.where(frequency == 0, 1, 2).to(like.dtype) / size).sqrt()
    return (torch.stack([angle.cos(), angle.sin()], dim=2) * length[:, None]).flatten(1)


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
