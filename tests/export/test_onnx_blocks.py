"""Every attention block and pooling head as ONNX, in onnxruntime, for every batch and image size."""

from __future__ import annotations

import pytest
import torch
from support.exported import SHAPES, TOLERANCE, Exported, blocks


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    torch.manual_seed(0)
    return Exported(blocks(), tmp_path_factory.mktemp("onnx") / "blocks.onnx")


@pytest.mark.parametrize("name", blocks())
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_pytorch(exported: Exported, name: str, shape: tuple[int, ...]) -> None:
    assert exported.difference(name, shape) <= TOLERANCE
