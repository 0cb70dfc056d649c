"""Exported files in a second runtime, OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from support.exported import SHAPES, TOLERANCE, Exported, blocks, conv, noise, share
from torch import Tensor, nn

import dynaconv
from dynaconv.export import export_onnx
from dynaconv.layers import list_convs

# Its Fourier transforms give other numbers than PyTorch's and onnxruntime's: docs/export.md says so.
METHODS = [name for name in list_convs() if name != "fdconv"]
# Its own choice on some processors is a type of fewer digits.
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


def outputs(compiled: openvino.CompiledModel, x: Tensor) -> list[Tensor]:
    found = compiled([x.numpy()])
    return [torch.from_numpy(np.array(found[port])) for port in compiled.outputs]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["methods", "blocks"])
def test_every_part(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    modules: dict[str, nn.Module] = {name: conv(name) for name in METHODS} if kind == "methods" else blocks()
    exported = Exported(modules, tmp_path / "parts.onnx")
    compiled = openvino.Core().compile_model(exported.file.path, "CPU", EXACT)
    for shape in SHAPES:
        with torch.no_grad():
            expected = exported.model(noise(shape))
        found = outputs(compiled, noise(shape))
        differences = dict(zip(modules, map(share, found, expected), strict=True))
        assert max(differences.values()) <= TOLERANCE, (shape, differences)


@pytest.mark.slow
def test_a_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = dynaconv.create_model("resnet18", conv="odconv", num_classes=10).eval()
    file = export_onnx(model, tmp_path / "model.onnx", torch.randn(1, 3, 64, 64), batches=(2,))
    compiled = openvino.Core().compile_model(file.path, "CPU", EXACT)
    for shape in ((1, 3, 64, 64), (3, 3, 96, 64), (16, 3, 64, 64)):
        (given,) = outputs(compiled, noise(shape))
        with torch.no_grad():
            assert share(given, model(noise(shape))) <= 1e-4
