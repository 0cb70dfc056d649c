"""Receptive fields: what part of the image each layer can see, and what part it does see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.analysis.receptive_field_effective import Energies, centre, energies, shortest_span
from dynaconv.analysis.receptive_field_reach import Reach
from dynaconv.analysis.receptive_field_trace import Visit, trace
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers.evaluating import evaluating

__all__ = ["LayerField", "ReceptiveFields", "receptive_field"]


@dataclass(frozen=True)
class LayerField:
    """What one unit in the middle of a layer's map sees; all tuples hold one number per image axis.

    Attributes:
        name: the layer's path in the model; it comes once for every time that the layer runs.
        kind: its class.
        map_size: units of its output.
        field: side of the theoretical receptive field in pixels, border or not: it may be larger than the image.
        stride: pixels from one unit to the next.
        offset: where the first unit's field has its centre; 0 is the middle of the first pixel.
        effective: side of the effective receptive field in pixels, at most the image's; `None` if not asked for, or if
            no gradient arrives.
    """

    name: str
    kind: str
    map_size: tuple[int, ...]
    field: tuple[int, ...]
    stride: tuple[float, ...]
    offset: tuple[float, ...]
    effective: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ReceptiveFields:
    """Receptive fields of a model's layers; `str()` is a table.

    Attributes:
        input_size: `(C, *S)` of the image.
        layers: those that change field or stride, in the order in which they end.
        bounded: operators without a rule: after them, fields are upper bounds.
    """

    input_size: tuple[int, ...]
    layers: tuple[LayerField, ...]
    bounded: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The table, one layer a line."""
        rows: list[tuple[str, ...]] = [("layer", "kind", "map", "field", "stride", "offset", "effective")]
        for layer in self.layers:
            numbers = (layer.map_size, layer.field, layer.stride, layer.offset, layer.effective)
            rows.append((layer.name or "(model)", layer.kind, *map(_shown, numbers)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        if self.bounded:
            lines.append(f"upper bounds after {', '.join(self.bounded)}")
        return "\n".join(lines)


def _shown(numbers: tuple[float, ...] | None) -> str:
    """One number where all axes agree."""
    if numbers is None:
        return "–"
    texts = [f"{number:g}" for number in numbers]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def receptive_field(
    model: nn.Module,
    input_size: tuple[int, ...] = (3, 224, 224),
    *,
    images: int | Tensor = 4,
    share: float = 0.95,
    context: bool = False,
) -> ReceptiveFields:
    """Theoretical and effective receptive fields of all layers that change them.

    The theoretical field is followed through every operator of one run, so branches, sums, concatenations, dilation,
    pooling, transposed convolutions and resizing count; it is the extent, holes of dilated kernels included. Padding
    counts as more image. The effective one is where gradients of a unit in the middle go: the least number of
    neighbouring rows (columns) that hold `share` of their energy, averaged over images.

    The model runs in evaluation mode and is left in the mode it was in.

    Args:
        model: takes `(B, *input_size)`; all maps are `(B, C, *S)`.
        input_size: `(C, *S)` with one, two or three axes.
        images: for the effective field: `(B, *input_size)`, or so many of random noise; 0 leaves it out.
        share: part of the gradients' energy, above 0 and at most 1.
        context: whether the theoretical field counts what is taken from the whole map and broadcast over it: dynamic
            kernels, channel gates, normalisation by a map's own statistics. Then one dynamic convolution sees all.

    Raises:
        ArgumentError: an argument is not allowed.
        ShapeError: `images` are not of `input_size`.

    Source: Luo et al., Understanding the Effective Receptive Field, 1701.04128.

    Example:
        >>> found = receptive_field(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, 2)), (3, 32, 32))
        >>> [(layer.field, layer.stride) for layer in found.layers]
        [((3, 3), (1.0, 1.0)), ((5, 5), (2.0, 2.0))]
    """
    if len(input_size) not in (2, 3, 4) or not all(isinstance(n, int) and n > 0 for n in input_size):
        raise ArgumentError("input_size", input_size, "channels and one to three sides, all integers > 0")
    if not 0 < share <= 1:
        raise ArgumentError("share", share, "a number above 0 and at most 1")
    like = next(iter(model.parameters()), torch.zeros(()))
    found: Energies = {}
    with evaluating(model):
        visits, bounded = trace(model, torch.zeros(1, *input_size, device=like.device, dtype=like.dtype), context)
        shown = [i for i, visit in enumerate(visits) if _changes(visit)]
        batch = _images(images, input_size, like)
        if len(batch):
            found = energies(model, batch, set(shown))
    layers = tuple(_layer(visits[i], found.get(i), share) for i in shown)
    return ReceptiveFields(tuple(input_size), layers, tuple(bounded))


def _images(images: int | Tensor, input_size: tuple[int, ...], like: Tensor) -> Tensor:
    if isinstance(images, Tensor):
        if images.shape[1:] != input_size:
            raise ShapeError("images", images.shape, f"(B, {', '.join(map(str, input_size))}), as input_size")
        return images.to(like)
    if not isinstance(images, int) or images < 0:
        raise ArgumentError("images", images, "an integer >= 0, or a batch of images")
    # The same noise in every call, whatever the program has drawn before.
    noise = torch.randn(images, *input_size, generator=torch.Generator().manual_seed(0))
    return noise.to(like)


def _changes(visit: Visit) -> bool:
    """Whether a call is worth a row: its output is a map that sees something else than its input."""
    before, after = visit.before, visit.after
    if after is None or not after.is_map():
        return False
    return before is None or not before.is_map() or _geometry(before)[1:] != _geometry(after)[1:]


def _geometry(reach: Reach) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """Map size, field, stride and offset of a map."""
    axes, size = reach.axes, tuple(reach.bounds.shape[3:])
    units = reach.bounds.flatten(1, 2).amax(1)
    at_middle: tuple[Any, ...] = (slice(None), *centre(size))
    at_first: tuple[Any, ...] = (slice(None), *(0 for _ in size))
    middle, first = units[at_middle], units[at_first]
    field = tuple(int(middle[a] + middle[axes + a]) + 1 for a in range(axes))
    offset = tuple(float(first[axes + a] - first[a]) / 2 for a in range(axes))
    return size, field, reach.step, offset


def _layer(visit: Visit, energy: Tensor | None, share: float) -> LayerField:
    assert visit.after is not None
    size, field, stride, offset = _geometry(visit.after)
    effective = None
    if energy is not None and float(energy.sum()) > 0:
        effective = tuple(
            shortest_span(energy.movedim(a, 0).reshape(n, -1).sum(1), share) for a, n in enumerate(energy.shape)
        )
    return LayerField(visit.name, visit.kind, size, field, stride, offset, effective)
