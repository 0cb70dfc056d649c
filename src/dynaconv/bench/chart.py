"""The benchmark as one self-contained page of charts, by plotly."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dynaconv.atomic import write_bytes
from dynaconv.bench.measure_block import BlockResult
from dynaconv.bench.measure_network import NetworkResult
from dynaconv.bench.measure_operator import OperatorResult, PassResult
from dynaconv.bench.operators import SWEEPS
from dynaconv.bench.results import BenchResults
from dynaconv.bench.store import write_file
from dynaconv.errors import MissingExtraError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["block_figure", "growth_figure", "network_figure", "problem_figure", "write_chart"]

_OURS, _GROUPED, _STATIC = "#3b82f6", "#f97316", "#8a94a6"
_FORMS = {"ours": _OURS, "grouped": _GROUPED}
_PALETTE = ("#3b82f6", "#f97316", "#10b981", "#a855f7", "#ec4899", "#ca8a04", "#14b8a6", "#6366f1")
_WHATS = {"inference": "inference", "training": "training step", "memory": "peak memory of a step"}
_PASSES = ("forward", "backward")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dynaconv bench</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1e293b}}
h1{{font-size:1.5rem}}h2{{font-size:1.15rem;margin-top:2.5rem}}p{{color:#475569}}</style></head><body>
<h1>Dynamic convolutions against static ones</h1><p>{machine}</p>
{sections}</body></html>
"""


def write_chart(results: BenchResults, path: Path) -> None:
    """Write the page; a section without measurements is left out.

    Raises:
        MissingExtraError: plotly is not installed.
        RunFolderError: `path` cannot be written.
    """
    sections: list[tuple[str, str, Figure]] = []
    if results.networks:
        words = "How many times the static network's time and memory: 1 is as good as static. Whiskers: quartiles."
        sections.append(("Networks", words, network_figure(results.networks)))
    if results.blocks:
        words = "How many times the authors' formulation's time, and memory kept between the passes: under 1 is better."
        sections.append(("Blocks and heads", words, block_figure(results.blocks)))
    series = [result for result in results.operators if result.sweep]
    if series:
        words = "mixture_conv, one layer, times static, as one thing grows and the others stay."
        sections.append(("Growth", words, growth_figure(series)))
    if results.operators:
        words = "Every problem, times static, over the static convolution's own time; colour: the fastest algorithm."
        sections.append(("Layers", words, problem_figure(results.operators)))
    html = ""
    for number, (title, words, figure) in enumerate(sections):
        plot = figure.to_html(full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False})
        html += f"<h2>{title}</h2><p>{words}</p>{plot}\n"
    found = results.environment
    machine = f"{found['processor']}, threads: {found['threads']}, torch {found['torch']}"
    page = _PAGE.format(machine=escape(machine), sections=html)
    write_file(path, lambda: write_bytes(path, page.encode()))


def network_figure(networks: tuple[NetworkResult, ...]) -> Figure:
    """Bars per network: our form and the grouped form, for both passes and memory."""
    figure = _panels(1, [*_WHATS.values()], shared_yaxes=True)
    names = [result.name for result in networks]
    for column, what in enumerate(_WHATS, start=1):
        for form, colour in _FORMS.items():
            figure.add_bar(
                x=[result.ratio(what, form) for result in networks],
                y=names,
                error_x=_quartiles(networks, what, form),
                name=form,
                legendgroup=form,
                showlegend=column == 1,
                marker_color=colour,
                orientation="h",
                row=1,
                col=column,
            )
    return _of_static(figure, 180 + 44 * len(names))


def _quartiles(networks: tuple[NetworkResult, ...], what: str, form: str) -> dict[str, object] | None:
    if what == "memory":
        return None
    above, below = [], []
    for result in networks:
        timings = result.seconds.get(what, {})
        static = timings["static"].median if timings else 1.0
        timing = timings.get(form)
        above.append((timing.high - timing.median) / static if timing else 0.0)
        below.append((timing.median - timing.low) / static if timing else 0.0)
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.2, "width": 3}


def block_figure(blocks: tuple[BlockResult, ...]) -> Figure:
    """Bars per block: ours, for both passes and memory."""
    figure = _panels(1, ["inference", "training", "memory kept between the passes"], shared_yaxes=True)
    for column, what in enumerate(_WHATS, start=1):
        figure.add_bar(
            x=[result.ratio(what) for result in blocks],
            y=[result.name for result in blocks],
            marker_color=_OURS,
            showlegend=False,
            orientation="h",
            row=1,
            col=column,
        )
    return _of_static(figure, 180 + 26 * len(blocks))


def _of_static(figure: Figure, height: int) -> Figure:
    """Bars that are multiples of the static network, which is a line at one."""
    figure.add_vline(x=1, line={"color": _STATIC, "dash": "dot"})
    figure.update_xaxes(type="log", dtick="D2")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(barmode="group", height=height)
    return figure


def growth_figure(series: list[OperatorResult]) -> Figure:
    """A panel per thing that grows: default and grouped form, forward and backward."""
    figure = _panels(2, [f"growing {sweep}" for sweep in SWEEPS])
    forms: dict[str, tuple[str, Callable[[PassResult], float | None]]] = {
        "default": (_OURS, lambda p: p.default.median / p.static.median),
        "grouped": (_GROUPED, lambda p: p.grouped.median / p.static.median if p.grouped else None),
    }
    for number, sweep in enumerate(SWEEPS):
        points = sorted((r for r in series if r.sweep == sweep), key=lambda r: r.point)
        for form, (colour, ratio) in forms.items():
            for name in _PASSES:
                figure.add_scatter(
                    x=[str(r.point) for r in points],
                    y=[ratio(r.passes[name]) for r in points],
                    name=f"{form}, {name}",
                    legendgroup=f"{form}, {name}",
                    showlegend=number == 0,
                    mode="lines+markers",
                    line={"color": colour, "dash": "solid" if name == "forward" else "dash"},
                    row=1 + number // 2,
                    col=1 + number % 2,
                )
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="log", dtick="D2", matches="y")
    figure.update_layout(height=640)
    return figure


def problem_figure(operators: tuple[OperatorResult, ...]) -> Figure:
    """A point per problem and pass: the default's ratio to static, coloured by the fastest algorithm."""
    figure = _panels(1, [*_PASSES], shared_yaxes=True)
    best = sorted({found.best for result in operators for found in result.passes.values()})
    for number, algorithm in enumerate(best):
        named = False
        for column, name in enumerate(_PASSES, start=1):
            found = [(r.name, p) for r in operators if (p := r.passes[name]).best == algorithm]
            figure.add_scatter(
                x=[1e3 * p.static.median for _, p in found],
                y=[p.default.median / p.static.median for _, p in found],
                text=[f"{case}<br>default {p.chosen}, fastest {p.best}" for case, p in found],
                hovertemplate="%{text}<br>%{y:.2f}× static (%{x:.2f} ms)<extra></extra>",
                name=algorithm,
                legendgroup=algorithm,
                showlegend=bool(found) and not named,
                mode="markers",
                marker={"color": _PALETTE[number % len(_PALETTE)], "size": 6, "opacity": 0.75},
                row=1,
                col=column,
            )
            named = named or bool(found)
    figure.update_xaxes(type="log", title_text="static, milliseconds")
    figure.update_yaxes(type="log", dtick="D2")
    figure.update_layout(height=460)
    return figure


def _panels(rows: int, titles: list[str], *, shared_yaxes: bool = False) -> Figure:
    try:
        from plotly.subplots import make_subplots
    except ImportError as error:
        raise MissingExtraError("plotly", "report") from error
    columns = len(titles) // rows
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=titles, shared_yaxes=shared_yaxes)
    figure.update_layout(
        template="plotly_white",
        margin={"l": 12, "r": 12, "t": 80, "b": 40},
        legend={"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0},
    )
    return figure
