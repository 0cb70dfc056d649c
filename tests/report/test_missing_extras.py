from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch

from dynaconv.analysis.rotation import rotate
from dynaconv.compare import Comparison, print_comparison
from dynaconv.errors import MissingExtraError
from dynaconv.report import ReportContent, render_report
from dynaconv.report.pictures import png_uri
from dynaconv.report.plots import plotly_javascript


@pytest.mark.parametrize(
    ("module", "package", "extra", "use"),
    [
        ("plotly.offline", "plotly", "report", lambda _: plotly_javascript()),
        ("jinja2", "jinja2", "report", render_report),
        ("PIL", "pillow", "report", lambda _: png_uri(torch.zeros(1, 2, 2))),
        ("rich.table", "rich", "train", lambda _: print_comparison(Comparison("digits", 1, (0,), ()))),
        ("kornia.geometry.transform", "kornia", "train", lambda _: rotate(torch.zeros(1, 1, 2, 2), torch.zeros(1))),
    ],
)
def test_a_missing_package_is_named_with_the_remedy(
    module: str,
    package: str,
    extra: str,
    use: Callable[[ReportContent], object],
    content: ReportContent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"^{package} is not installed; .*dynaconv\[{extra}\]"):
        use(content)
