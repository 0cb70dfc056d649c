"""A comparison as one self-contained HTML page."""

from __future__ import annotations

from dynaconv.report.collect import collect
from dynaconv.report.content import ReportContent, Samples
from dynaconv.report.render import render_report, write_report

__all__ = ["ReportContent", "Samples", "collect", "render_report", "write_report"]
