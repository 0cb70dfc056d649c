"""The report in a real browser: every plot is drawn, nothing is logged, nothing is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dynaconv.report import ReportContent, write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

DRAWN = """nodes => nodes.map(node => {
  const sizes = [...node.querySelectorAll("svg.main-svg")].map(svg => svg.getBoundingClientRect());
  return {
    name: node.dataset.plot,
    visible: sizes.some(size => size.width > 100 && size.height > 100),
    traces: (node.data || []).map(trace => trace.type),
    lines: [...node.querySelectorAll(".scatterlayer .trace path.js-line")].filter(p => p.getAttribute("d")).length,
    texts: node.querySelectorAll(".scatterlayer .trace text").length,
    heatmaps: [...node.querySelectorAll(".heatmaplayer image")].filter(i => i.getBoundingClientRect().height > 50)
      .length,
    pictures: [...node.querySelectorAll(".imagelayer image, .layer-above image, .layer-below image")]
      .filter(i => i.getBoundingClientRect().height > 5).length,
  };
})"""


def find_browser(playwrights_own: str) -> str:
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    if Path(playwrights_own).exists():
        return playwrights_own
    pytest.fail(
        f"no browser found (looked for {', '.join(BROWSERS)}): the report cannot be checked; "
        "install one, for example: apt install chromium, or: playwright install chromium"
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        executable = find_browser(playwright.chromium.executable_path)
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(content: ReportContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(content, path)
    return path


def watched(page: Page) -> tuple[list[str], list[str]]:
    """Addresses that `page` asks for, and what it logs or throws, from now on."""
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return requests, complaints


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (380, "dark")])
def test_the_report_is_drawn_and_quiet(browser: Browser, report: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests, complaints = watched(page)
    page.goto(report.as_uri())
    plots = {plot["name"]: plot for plot in page.eval_on_selector_all("[data-plot]", DRAWN)}
    assert set(plots) == {"curve-1", "curve-2", "curve-3", "turning-1"}
    for name, plot in plots.items():
        assert plot["visible"], name
        assert plot["lines"] == (2 if name.startswith("curve") else 3), name
    assert plots["turning-1"]["traces"] == ["scatter"] * 4 + ["heatmap"]
    assert plots["turning-1"]["heatmaps"] == 1
    assert plots["turning-1"]["texts"] == plots["turning-1"]["pictures"] == 13
    pictures = page.eval_on_selector_all("img", "nodes => nodes.map(n => n.complete && n.naturalWidth > 0)")
    assert len(pictures) == 3 * (1 + 4)
    assert all(pictures)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []
    assert complaints == []
    page.close()


def test_switching_to_dark_redraws_the_plots(browser: Browser, report: Path) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(report.as_uri())
    colour = "document.querySelector('[data-plot]')._fullLayout.font.color"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{colour} !== {light!r}")
    page.close()


def test_the_check_sees_a_broken_report(browser: Browser, report: Path) -> None:
    text = report.read_text(encoding="utf-8").replace("drawAll();", "", 1)
    broken = report.with_name("broken.html")
    broken.write_text(text.replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>'), encoding="utf-8")
    page = browser.new_page()
    requests, complaints = watched(page)
    page.goto(broken.as_uri())
    plots = page.eval_on_selector_all("[data-plot]", DRAWN)
    assert not any(plot["visible"] for plot in plots)
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == ["http://127.0.0.1:9/x.png"]
    assert complaints
    page.close()


def test_a_missing_browser_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(pytest.fail.Exception, match=r"no browser found .*apt install chromium"):
        find_browser("/no/such/browser")
