from __future__ import annotations

import json
from pathlib import Path

import pytest

import dynaconv.compare
from dynaconv.cli.main import main
from dynaconv.train import TrainingInterrupted


def test_the_demo_runs_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--quick", "--out", str(tmp_path / "demo")]) == 0
    shown = capsys.readouterr().out
    assert "digits, 1 epoch, 1 seed" in shown
    report = tmp_path / "demo" / "report.html"
    assert f"report: {report}" in shown
    saved = json.loads((tmp_path / "demo" / "comparison.json").read_text())
    labels = [result["entry"]["label"] for result in saved["results"]]
    assert labels == ["static", "kernel-weighted", "fc-generated", "dot-product"]
    page = report.read_text(encoding="utf-8")
    assert page.count('data-plot="turning-') == 3  # the static network has no coefficients to show
    assert "The same test image (4)" in page


def test_an_interrupted_demo_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise TrainingInterrupted(tmp_path)

    monkeypatch.setattr(dynaconv.compare, "compare", interrupted)
    assert main(["demo", "--quick", "--out", "a folder"]) == 130
    assert capsys.readouterr().err == "dynaconv: stopped; continue with: dynaconv demo --quick --out 'a folder'\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "0"], "seeds=0: expected an integer >= 1"),
        (["--epochs", "0"], "epochs=0: expected an integer >= 1"),
        (["--epochs", "many"], "argument --epochs: invalid int value: 'many' (see `dynaconv demo --help`)"),
        (["--fast"], "unrecognized arguments: --fast (see `dynaconv demo --help`)"),
    ],
)
def test_a_wrong_command_line_is_one_line(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *flags]) == 2
    assert capsys.readouterr().err == f"dynaconv: error: {message}\n"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--quick", "--out", str(tmp_path / "file" / "x")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dynaconv: error: ")
    assert error.count("\n") == 1
    assert "file/x" in error
