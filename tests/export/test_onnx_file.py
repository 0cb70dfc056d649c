"""What an exported file says of itself, and what is refused before there is a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv import create_conv
from dynaconv.errors import ArgumentError, ExportError, MissingExtraError
from dynaconv.export import export_onnx, onnx_file

EXAMPLE = torch.randn(1, 3, 8, 8)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)]
    return nn.Sequential(create_conv("condconv", 3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), *head)


@pytest.fixture
def small() -> nn.Module:
    """Exported as fast as can be."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 1))


def test_the_file_says_what_its_user_has_to_know(model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.onnx"
    written = export_onnx(
        model,
        path,
        EXAMPLE,
        labels=["cat", "dög"],
        mean=[0.5, 0.4, 0.3],
        std=[0.2, 0.2, 0.2],
        metadata={"run": "first"},
        batches=(1, 3),
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kept = session.get_modelmeta().custom_metadata_map
    assert kept == written.metadata
    assert json.loads(kept["labels"]) == ["cat", "dög"]
    assert json.loads(kept["methods"]) == ["condconv"]
    assert json.loads(kept["mean"]) == [0.5, 0.4, 0.3]
    assert (kept["run"], kept["example_shape"]) == ("first", "[3, 8, 8]")
    assert [entry.name for entry in session.get_inputs()] == ["input"]
    assert [found.name for found in session.get_outputs()] == ["output"]
    assert session.get_outputs()[0].shape == ["batch", 2]
    assert [check.shape for check in written.checks] == [(1, 3, 8, 8), (3, 3, 8, 8), (1, 3, 16, 24), (3, 3, 16, 24)]
    assert written.size == path.stat().st_size
    assert written.largest < 1e-5
    assert "3×3×16×24" in str(written)
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]


def test_the_model_is_left_as_it_is(model: nn.Module, tmp_path: Path) -> None:
    model.double().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_onnx(model, tmp_path / "model.onnx", EXAMPLE.double(), batches=(1,))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())


def test_sizes_can_be_fixed(small: nn.Module, tmp_path: Path) -> None:
    written = export_onnx(small, tmp_path / "model.onnx", EXAMPLE, free_size=False)
    assert [check.shape for check in written.checks] == [(1, 3, 8, 8), (3, 3, 8, 8), (16, 3, 8, 8)]
    (entry,) = onnx.load(written.path).graph.input
    assert [d.dim_param or d.dim_value for d in entry.type.tensor_type.shape.dim] == ["batch", 3, 8, 8]


def test_operators_of_an_older_version(small: nn.Module, tmp_path: Path) -> None:
    written = export_onnx(small, tmp_path / "model.onnx", EXAMPLE, opset=18, batches=(2,))
    assert [entry.version for entry in onnx.load(written.path).opset_import if not entry.domain] == [18]


def test_a_file_that_differs_is_not_written(small: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = onnx_file.onnx_content

    def wrong(*arguments: Any, **options: Any) -> bytes:
        found = onnx.load_model_from_string(made(*arguments, **options))
        bias = next(tensor for tensor in found.graph.initializer if list(tensor.dims) == [2])
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + 1e-3, bias.name))
        content: bytes = found.SerializeToString()
        return content

    monkeypatch.setattr(onnx_file, "onnx_content", wrong)
    with pytest.raises(ExportError, match="differs from the PyTorch model on an input of shape") as caught:
        export_onnx(small, tmp_path / "model.onnx", EXAMPLE)
    assert caught.value.largest == pytest.approx(1e-3, rel=0.01)
    assert not [*tmp_path.iterdir()]


class Computed(nn.Module):
    """A convolution whose weight a runtime only knows once it has an input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * x.mean())


class Branching(nn.Module):
    """Does what the numbers say."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class OneSize(nn.Module):
    """Knows one size of image."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 8 * 8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x.flatten(1))
        return y


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Computed, "the weight of convolution .* is not constant"),
        (Branching, r"torch\.export cannot export the model"),
        (OneSize, r"if sizes are the reason: export with free_size=False"),
    ],
)
def test_models_that_cannot_be_exported(made: type[nn.Module], message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        export_onnx(made(), tmp_path / "model.onnx", EXAMPLE)
    assert not [*tmp_path.iterdir()]


def test_one_size_is_exported_as_that(tmp_path: Path) -> None:
    assert export_onnx(OneSize(), tmp_path / "model.onnx", EXAMPLE, free_size=False).largest < 1e-5


@pytest.mark.parametrize("example", [torch.zeros(3), torch.zeros(0, 3, 8, 8), torch.zeros(1, 3, 8, 8).long(), "x"])
def test_examples_that_are_none(small: nn.Module, example: Any, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"example=.*: expected a floating-point tensor \(B, C, \*S\)"):
        export_onnx(small, tmp_path / "model.onnx", example)


@pytest.mark.parametrize("batches", [(), (0,)])
def test_something_has_to_be_checked(small: nn.Module, batches: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="at least one batch size"):
        export_onnx(small, tmp_path / "model.onnx", EXAMPLE, batches=batches)


@pytest.mark.parametrize("package", ["onnxruntime", "onnxscript"])
def test_missing_packages_are_named(
    small: nn.Module, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtraError, match=package):
        export_onnx(small, tmp_path / "model.onnx", EXAMPLE)


def test_a_place_that_cannot_be_written(small: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_onnx(small, tmp_path / "file" / "model.onnx", EXAMPLE, batches=(1,))
