"""Looking into networks: how much of an image their layers see, and what their kernels do with it."""

from __future__ import annotations

from dynaconv.analysis.receptive_field import LayerField, ReceptiveFields, receptive_field
from dynaconv.analysis.receptive_field_figure import growth_figure
from dynaconv.analysis.turning import LayerTurn, Turning, turn

__all__ = ["LayerField", "LayerTurn", "ReceptiveFields", "Turning", "growth_figure", "receptive_field", "turn"]
