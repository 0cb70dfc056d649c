"""A conversion, planned or done, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dynaconv.convert.costs import Cost
from dynaconv.layers.columns import columns

__all__ = ["Action", "Plan", "PlannedLayer"]

Action = Literal["replace", "keep", "cannot"]


@dataclass(frozen=True)
class PlannedLayer:
    """What becomes of one layer.

    Attributes:
        names: its names in the model, several where it is used at several places.
        kind: its class.
        action: `"replace"`, `"keep"`, or `"cannot"` where something stands against replacing it.
        reason: why it is not replaced.
        before: what it costs.
        after: what it will cost.
        error: once converted with its weights inherited, how far the output of the layer in its place is from its own,
            relative, on noise.
    """

    names: tuple[str, ...]
    kind: str
    action: Action
    reason: str
    before: Cost
    after: Cost
    error: float | None = None

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]


@dataclass(frozen=True)
class Plan:
    """A conversion, planned or done; `str()` is a table.

    Attributes:
        method: what layers are replaced by.
        layers: every convolution, and every linear layer where the method has a form for them.
        options: the method's.
        inherited: whether the new layers took over the old ones' weights.
    """

    method: str
    layers: tuple[PlannedLayer, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    inherited: bool = False

    @property
    def replaced(self) -> list[str]:
        """Names of the layers to replace, each once."""
        return [layer.name for layer in self.layers if layer.action == "replace"]

    def __str__(self) -> str:
        """One layer a line, and what changes in all."""
        timed = any(layer.before.macs is not None for layer in self.layers)
        proven = any(layer.error is not None for layer in self.layers)
        header = ["layer", "kind", "action", "why", "parameters", "after"]
        header += ["multiply-adds", "after", "assembly"] if timed else []
        header += ["error"] if proven else []
        table = columns([header, *(_row(layer, timed, proven) for layer in self.layers)], words=4)
        return f"{table}\n{self._summary(timed)}"

    def _summary(self, timed: bool) -> str:
        before, after = ([getattr(layer, side) for layer in self.layers] for side in ("before", "after"))
        text = f"{self.method}: {len(self.replaced)} of {len(self.layers)} layers replaced; all together "
        text += f"{sum(c.parameters for c in before):,} → {sum(c.parameters for c in after):,} parameters"
        if timed:
            macs = [sum(c.macs or 0 for c in costs) for costs in (before, after)]
            assembly = sum(c.assembly or 0 for c in after)
            text += f", {macs[0]:,} → {macs[1]:,} multiply-adds and {assembly:,} for making kernels"
        return text


def _row(layer: PlannedLayer, timed: bool, proven: bool) -> list[str]:
    more = len(layer.names) - 1
    cells = [layer.name + (f" (and {more} more)" if more else ""), layer.kind, layer.action, layer.reason]
    cells += [f"{layer.before.parameters:,}", f"{layer.after.parameters:,}"]
    if timed:
        cells += ["" if n is None else f"{n:,}" for n in (layer.before.macs, layer.after.macs, layer.after.assembly)]
    if proven:
        cells += ["" if layer.error is None else f"{layer.error:.1e}"]
    return cells
