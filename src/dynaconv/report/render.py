"""One self-contained HTML page from a report's content: it opens from a file and asks the network for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dynaconv.analysis import Turning
from dynaconv.compare import table_headings, table_rows, write_text
from dynaconv.errors import MissingExtraError
from dynaconv.report.content import ReportContent, Samples
from dynaconv.report.pictures import png_uri
from dynaconv.report.plots import curve_plots, network_colours, plotly_javascript, turning_plot

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render_report", "write_report"]


def render_report(content: ReportContent) -> str:
    """The page as text.

    Raises:
        MissingExtraError: if jinja2, plotly or pillow is not installed.
    """
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            content=content,
            seeds=len(content.comparison.seeds),
            headings=table_headings(),
            rows=table_rows(content.comparison),
            colours=network_colours(content.comparison),
            curves=curve_plots(content.comparison),
            samples=_sample_pictures(content.samples),
            turnings={
                label: turning_plot(turning, content.turned_label, content.classes)
                for label, turning in content.turnings.items()
            },
            findings={label: _finding(turning, content) for label, turning in content.turnings.items()},
            plotly_javascript=plotly_javascript(),
        )
    )


def write_report(content: ReportContent, path: Path) -> None:
    """Write the page to `path`, whole or not at all.

    Raises:
        MissingExtraError: if jinja2, plotly or pillow is not installed.
        RunFolderError: if `path` cannot be written.
    """
    write_text(path, render_report(content))


def _environment() -> Environment:
    """Templates of this package; values are escaped, the included style and scripts are the package's own."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", "report") from error
    return Environment(loader=PackageLoader("dynaconv.report"), autoescape=True, undefined=StrictUndefined)


def _sample_pictures(samples: Samples) -> list[dict[str, object]]:
    return [
        {"label": label, "original": png_uri(original), "views": [png_uri(view) for view in views]}
        for label, original, views in zip(samples.labels, samples.originals, samples.augmented, strict=True)
    ]


def _finding(turning: Turning, content: ReportContent) -> str:
    """What the reader should see in one network's picture, from its numbers."""
    answers = [content.classes[i] for i in turning.predictions.tolist()]
    right = sum(answer == content.turned_label for answer in answers)
    peaks = [float(layer.kernel_change.max()) for layer in turning.layers]
    most = max(range(len(peaks)), key=peaks.__getitem__)
    return (
        f"Right at {right} of {len(answers)} angles. The kernel of layer {most + 1} "
        f"({turning.layers[most].name}) moves most, by up to {peaks[most]:.0%}; the layer that moves least, "
        f"by up to {min(peaks):.0%}."
    )
