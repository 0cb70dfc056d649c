"""A picture of how receptive fields grow from layer to layer, by plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaconv.analysis.receptive_field import ReceptiveFields
from dynaconv.errors import MissingExtraError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["growth_figure"]

_THEORETICAL, _EFFECTIVE, _IMAGE = "#3b82f6", "#f97316", "#8a94a6"


def growth_figure(fields: ReceptiveFields) -> Figure:
    """Theoretical and effective fields over the layers, the longest side of each, and the image's side.

    Args:
        fields: from `receptive_field`. Write the picture with the figure's `write_html`.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    try:
        from plotly.graph_objects import Figure, Scatter
    except ImportError as error:
        raise MissingExtraError("plotly", "report") from error
    layers = fields.layers
    labels = [f"{number} {layer.name or layer.kind}" for number, layer in enumerate(layers, start=1)]
    figure = Figure()
    sides: dict[str, tuple[str, list[int | None]]] = {
        "theoretical": (_THEORETICAL, [max(layer.field) for layer in layers]),
        "effective": (_EFFECTIVE, [max(layer.effective) if layer.effective else None for layer in layers]),
    }
    for name, (colour, side) in sides.items():
        if any(side):
            figure.add_trace(Scatter(x=labels, y=side, name=name, mode="lines+markers", line={"color": colour}))
    longest = max(fields.input_size[1:])
    figure.add_hline(longest, line={"color": _IMAGE, "dash": "dash"}, annotation_text="image")
    figure.update_layout(template="plotly_white", yaxis={"title": "pixels", "type": "log"}, legend={"orientation": "h"})
    return figure
