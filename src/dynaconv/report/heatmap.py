"""Which kernel coefficients a picture shows, and in which order: numbers only, no plotting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dynaconv.analysis import LayerTurn, Turning

__all__ = ["HeatRows", "heat_rows"]

ROWS = 48


@dataclass(frozen=True)
class HeatRows:
    """The coefficients that move most while the image turns, grouped by layer.

    Attributes:
        values: `(R, A)` in [-1, 1]: each coefficient less its mean over the angles, relative to the largest such
            difference in its layer; one row of NaN between layers.
        names: a name per row, empty for the rows of NaN.
        layers: per layer, its name and the row at the middle of its group.
    """

    values: Tensor
    names: tuple[str, ...]
    layers: tuple[tuple[str, float], ...]


def heat_rows(turning: Turning) -> HeatRows:
    """Rows for one network's picture; within a layer ordered by the angle at which a coefficient peaks."""
    per_layer = max(4, ROWS // len(turning.layers))
    gap = torch.full((1, len(turning.angles)), torch.nan)
    blocks: list[Tensor] = []
    names: list[str] = []
    layers: list[tuple[str, float]] = []
    for turned in turning.layers:
        if blocks:
            blocks.append(gap)
            names.append("")
        values, labels = _layer_rows(turned, per_layer)
        layers.append((turned.name, len(names) + (len(labels) - 1) / 2))
        blocks.append(values)
        names.extend(labels)
    return HeatRows(torch.cat(blocks), tuple(names), tuple(layers))


def _layer_rows(turned: LayerTurn, count: int) -> tuple[Tensor, list[str]]:
    values = torch.cat(list(turned.coefficients.values()), dim=1).T
    names = [f"{key}[{i}]" for key, value in turned.coefficients.items() for i in range(value.shape[1])]
    values = values - values.mean(dim=1, keepdim=True)
    strongest = values.abs().amax(dim=1).topk(min(count, len(values))).indices
    strongest = strongest[values[strongest].argmax(dim=1).argsort(stable=True)]
    shown = values[strongest]
    largest = shown.abs().max()
    return (shown / largest if largest > 0 else shown), [names[i] for i in strongest.tolist()]
