"""`dynaconv export`: from a name, a saved model, with the facts that are known of it."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch

import dynaconv
from dynaconv.cli.main import main


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = dynaconv.create_model("kernel_weighted_cnn", conv="condconv", width=0.1, num_classes=2, in_channels=1)
    path = tmp_path / "model.safetensors"
    dynaconv.save(model, path, {"classes": ["on", "off"], "mean": [0.5], "std": [0.25], "image_size": [20, 24]})
    return path


def test_a_saved_model_with_what_is_known_of_it(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.parent / "model.onnx"
    assert main(["export", str(saved), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == out.stat().st_size
    assert [check["shape"] for check in told["checks"]][:2] == [[1, 1, 20, 24], [3, 1, 20, 24]]
    kept = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert kept == told["metadata"]
    assert (kept["labels"], kept["mean"], kept["std"]) == ('["on", "off"]', "[0.5]", "[0.25]")


def test_one_size_and_older_operators(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.parent / "model.onnx"
    words = ["--out", str(out), "--size", "16", "--fixed-size", "--opset", "18", "--tolerance", "1e-3"]
    assert main(["export", str(saved), *words]) == 0
    assert "16×1×16×16" in capsys.readouterr().out
    assert onnx.load(out).graph.input[0].type.tensor_type.shape.dim[3].dim_value == 16


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense"], "name='nonsense'"),
        (["resnet18", "--size", "0"], "size=0"),
        (["{saved}", "--classes", "3"], "classes=3"),
        (["{saved}", "--tolerance", "0"], "differs from the PyTorch model"),
    ],
)
def test_errors_are_one_line_and_leave_no_file(
    words: list[str], message: str, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = saved.parent / "model.onnx"
    assert main(["export", *(word.format(saved=saved) for word in words), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
