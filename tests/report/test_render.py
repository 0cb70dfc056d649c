from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dynaconv.errors import RunFolderError
from dynaconv.report import ReportContent, render_report, write_report


@pytest.fixture(scope="module")
def page(content: ReportContent) -> str:
    return render_report(content)


def visible(page: str) -> str:
    """The page without its style and scripts."""
    return re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)


def test_labels_are_escaped_in_text_and_in_plots(page: str) -> None:
    assert "<b>dynamic</b>" not in page
    assert "&lt;b&gt;dynamic&lt;/b&gt;" in page
    assert "<title>A &amp; B</title>" in page
    assert "Another &lt;/script&gt; one." in page


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    references = re.findall(r'(?:src|href)="([^"]*)"', visible(page))
    assert references
    assert all(reference.startswith(("data:", "#")) for reference in references)


def test_the_table_holds_every_value_and_marks_the_best(page: str) -> None:
    table = re.search(r"<tbody>.*?</tbody>", page, re.DOTALL)
    assert table is not None
    assert re.findall(r'class="best">([^<]*)<', table[0]) == ["5.0 ms", "12,500", "2.50 M", "98.2 %", "86.5 %"]
    assert re.findall(r"<td><span>([^<]*)<", table[0]) == ["20,000", "4.00 M", "91.8 %", "71.3 %", "8.0 ms"]


def test_plotly_is_there_once(page: str) -> None:
    assert len(re.findall(r"plotly\.js v\d", page)) == 1


def test_one_seed_is_called_what_it_is(page: str, content: ReportContent) -> None:
    assert "One seed each" in page
    more = replace(content, comparison=replace(content.comparison, seeds=(0, 1, 2)))
    assert "over 3 seeds" in render_report(more)


def test_the_turning_is_put_into_words(page: str) -> None:
    assert "Right at 18 of 37 angles." in page


def test_the_file_is_written_whole_into_a_new_folder(content: ReportContent, tmp_path: Path, page: str) -> None:
    write_report(content, tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == page
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_named(content: ReportContent, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"file/report\.html: cannot be written \("):
        write_report(content, tmp_path / "file" / "report.html")
