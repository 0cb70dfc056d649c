"""The report's plots, drawn by plotly; colours of text, grid and background come from the page's style sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dynaconv.analysis import Turning
from dynaconv.compare import Comparison
from dynaconv.errors import MissingExtraError
from dynaconv.report.heatmap import heat_rows
from dynaconv.report.pictures import png_uri

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Plot", "curve_plots", "network_colours", "plotly_javascript", "turning_plot"]

Plot = dict[str, Any]
"""A figure as plotly.js reads it: `data` and `layout`."""

STATIC_COLOUR = "#8a94a6"
COLOURS = ("#3b82f6", "#f97316", "#10b981", "#a855f7", "#ec4899", "#ca8a04")
LAYER_COLOURS = ("#6366f1", "#14b8a6", "#f59e0b", "#ef4444", "#8b5cf6", "#84cc16")
STRIP_STEP = 30


def plotly_javascript() -> str:
    """The source of plotly.js.

    Raises:
        MissingExtraError: if plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError("plotly", "report") from error
    source: str = get_plotlyjs()
    return source


def network_colours(comparison: Comparison) -> dict[str, str]:
    """One colour per network label; static networks are grey."""
    dynamic = [r.entry.label for r in comparison.results if r.entry.conv != "static"]
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dynamic)}
    return {r.entry.label: colours.get(r.entry.label, STATIC_COLOUR) for r in comparison.results}


def curve_plots(comparison: Comparison) -> dict[str, Plot]:
    """Title -> learning curve of all networks."""
    colours = network_colours(comparison)
    curves = {r.entry.label: r.curve() for r in comparison.results}
    epochs = {label: [p.epoch for p in curve] for label, curve in curves.items()}
    loss = {label: [p.train_loss for p in curve] for label, curve in curves.items()}
    clean = {label: [p.clean_accuracy for p in curve] for label, curve in curves.items()}
    viewpoint = {label: [p.viewpoint_accuracy for p in curve] for label, curve in curves.items()}
    return {
        "Training loss": _lines(epochs, loss, colours, {"rangemode": "tozero"}),
        "Clean accuracy": _lines(epochs, clean, colours, {"tickformat": ".0%"}),
        "Viewpoint accuracy": _lines(epochs, viewpoint, colours, {"tickformat": ".0%"}),
    }


def _lines(
    x: Mapping[str, Sequence[float]],
    y: Mapping[str, Sequence[float]],
    colours: Mapping[str, str],
    y_axis: Mapping[str, Any],
) -> Plot:
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for label, values in y.items():
        style = {"color": colours[label], "width": 2.5}
        mode = "lines" if len(values) > 1 else "markers"
        figure.add_trace(Scatter(x=list(x[label]), y=list(values), name=label, mode=mode, line=style))
    figure.update_layout(
        height=280, showlegend=False, margin={"l": 48, "r": 12, "t": 8, "b": 44}, hovermode="x unified"
    )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(**y_axis)
    return _plain(figure)


def turning_plot(turning: Turning, true_class: str, classes: Sequence[str]) -> Plot:
    """One network: the turned images and its answers, each layer's kernel change, and the coefficients."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=3, cols=1, shared_xaxes=True)
    _add_strip(figure, turning, true_class, classes)
    _add_kernel_change(figure, turning)
    _add_coefficients(figure, turning)
    figure.update_layout(
        height=640,
        margin={"l": 62, "r": 12, "t": 8, "b": 48},
        legend={"orientation": "h", "y": 0.8, "x": 0, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
    )
    for row, domain in enumerate(([0.88, 1.0], [0.52, 0.79], [0.0, 0.46]), start=1):
        figure.update_yaxes(domain=domain, row=row, col=1)
    first, last = min(turning.angles), max(turning.angles)
    ticks = list(range(0, 361, 60))
    figure.update_xaxes(range=[first - 16, last + 16], tickvals=ticks, ticktext=[f"{t}°" for t in ticks])
    figure.update_xaxes(title_text="the image is turned by", row=3, col=1)
    return _plain(figure)


def _add_strip(figure: Figure, turning: Turning, true_class: str, classes: Sequence[str]) -> None:
    """The images themselves at their angles, with the network's answer below each."""
    from plotly.graph_objects import Scatter

    shown = [i for i, angle in enumerate(turning.angles) if angle % STRIP_STEP == 0]
    for i in shown:
        place = {"x": turning.angles[i], "y": 1.0, "sizex": 0.88 * STRIP_STEP, "sizey": 0.66}
        anchor = {"xref": "x", "yref": "y", "xanchor": "center", "yanchor": "top", "sizing": "contain"}
        figure.add_layout_image(source=png_uri(turning.images[i]), **place, **anchor)
    answers = [classes[int(turning.predictions[i])] for i in shown]
    colours = ["#10b981" if answer == true_class else "#ef4444" for answer in answers]
    figure.add_trace(
        Scatter(
            x=[turning.angles[i] for i in shown],
            y=[0.14] * len(shown),
            text=[f"<b>{answer if len(answer) <= 6 else answer[:5] + '…'}</b>" for answer in answers],
            customdata=answers,
            textfont={"color": colours, "size": 13},
            mode="text",
            showlegend=False,
            hovertemplate="%{x}: the network says %{customdata}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    figure.update_yaxes(range=[0, 1], tickvals=[0.14, 0.67], ticktext=["answer", "image"], showgrid=False, row=1, col=1)
    figure.update_xaxes(showgrid=False, row=1, col=1)


def _add_kernel_change(figure: Figure, turning: Turning) -> None:
    """One line per layer: how far its kernel is from the upright image's."""
    from plotly.graph_objects import Scatter

    for i, layer in enumerate(turning.layers):
        figure.add_trace(
            Scatter(
                x=list(turning.angles),
                y=layer.kernel_change.tolist(),
                name=f"layer {i + 1}",
                line={"color": LAYER_COLOURS[i % len(LAYER_COLOURS)], "width": 2},
                hovertemplate=f"{layer.name}: %{{y:.1%}} at %{{x}}<extra></extra>",
            ),
            row=2,
            col=1,
        )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", title_text="kernel change", row=2, col=1)


def _add_coefficients(figure: Figure, turning: Turning) -> None:
    """One row of colour per coefficient."""
    from plotly.graph_objects import Heatmap

    rows = heat_rows(turning)
    values = [[None if value != value else round(value, 3) for value in row] for row in rows.values.tolist()]
    figure.add_trace(
        Heatmap(
            x=list(turning.angles),
            y=list(range(len(values))),
            z=values,
            text=[[name] * len(turning.angles) for name in rows.names],
            zmin=-1,
            zmax=1,
            showscale=False,
            hoverongaps=False,
            hovertemplate="%{text} at %{x}: %{z:.2f}<extra></extra>",
        ),
        row=3,
        col=1,
    )
    figure.update_yaxes(
        autorange="reversed",
        showgrid=False,
        tickvals=[middle for _, middle in rows.layers],
        ticktext=[f"layer {i + 1}" for i in range(len(rows.layers))],
        row=3,
        col=1,
    )


def _plain(figure: Figure) -> Plot:
    """`figure` without plotly's template: the page gives the colours."""
    figure.update_layout(template="none", paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    figure.update_layout(dragmode=False)
    plain: Plot = json.loads(figure.to_json())
    return {"data": plain["data"], "layout": plain["layout"]}
