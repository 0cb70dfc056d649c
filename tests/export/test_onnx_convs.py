"""Every method as ONNX: one file each, in onnxruntime, for every batch and image size."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from support.exported import BATCHES, CHANNELS, GEOMETRIES, SHAPES, SIZES, TOLERANCE, Exported, conv
from support.side_by_side import SideBySide

from dynaconv.export import export_onnx
from dynaconv.layers import create_conv, list_convs


@pytest.fixture(scope="module", params=list_convs())
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    torch.manual_seed(0)
    name = request.param
    return Exported({name: conv(name)}, tmp_path_factory.mktemp("onnx") / f"{name}.onnx")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_pytorch(exported: Exported, shape: tuple[int, ...]) -> None:
    (name,) = exported.model.names
    assert exported.difference(name, shape) <= TOLERANCE


def test_nothing_in_the_file_depends_on_the_batch(exported: Exported) -> None:
    model = onnx.load(exported.file.path)
    onnx.checker.check_model(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert all(node.input[1] in constants for node in convolutions)
    (entry,) = model.graph.input
    sizes = [size.dim_param or size.dim_value for size in entry.type.tensor_type.shape.dim]
    assert sizes == ["batch", CHANNELS, "height", "width"]
    assert {node.domain for node in model.graph.node} == {""}


def test_the_example_leaves_no_trace(tmp_path: Path) -> None:
    """Neither the number of groups nor any other number in the graph comes from the example's batch or size."""
    torch.manual_seed(0)
    layer = conv("odconv")
    files = [
        export_onnx(layer, tmp_path / f"{batch}.onnx", torch.randn(batch, CHANNELS, *size), batches=(2,)).path
        for batch, size in ((1, SIZES[0]), (5, SIZES[1]))
    ]
    graphs = [[node.SerializeToString() for node in onnx.load(file).graph.node] for file in files]
    assert graphs[0] == graphs[1]


@pytest.mark.slow
@pytest.mark.parametrize("geometry", [name for name in GEOMETRIES if name != "plain"])
def test_other_geometries(geometry: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    exported = Exported({name: conv(name, geometry) for name in list_convs()}, tmp_path / "convs.onnx")
    for batch in BATCHES:
        for name in exported.model.names:
            assert exported.difference(name, (batch, CHANNELS, *SIZES[1])) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(("dims", "size"), [(1, (23,)), (3, (6, 7, 8))])
def test_sequences_and_volumes(dims: int, size: tuple[int, ...], tmp_path: Path) -> None:
    modules = {
        name: create_conv(name, CHANNELS, CHANNELS, 3, 2, 0 if name == "causal" else 1, dims=dims)
        for name in list_convs(dims)
    }
    model = SideBySide(modules).eval()
    file = export_onnx(model, tmp_path / "convs.onnx", torch.randn(2, CHANNELS, *size))
    assert max(check.difference.relative for check in file.checks) <= TOLERANCE
