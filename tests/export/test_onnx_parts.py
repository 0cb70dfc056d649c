"""Every method, attention block and pooling head as ONNX, in onnxruntime, for every batch and image size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from support.side_by_side import SideBySide
from torch import Tensor, nn

from dynaconv.attention import create_attention, list_attentions
from dynaconv.export import export_onnx
from dynaconv.layers import create_conv, list_convs
from dynaconv.pooling import create_pooling, list_poolings

CHANNELS = 8
BATCHES = (1, 3, 16)
SIZES = ((9, 12), (14, 11))
# The largest difference, as a share of the largest output. Measured: 3.6e-6 (FDConv), 1.2e-6 (all others).
TOLERANCE = 2e-5
# A mixture, a kernel per sample, taps per position, a low-rank term, cells; a covariance and its root.
FEW = (
    "odconv plain",
    "kernel_weighted plain",
    "lgcf plain",
    "dcd plain",
    "kernel_warehouse plain",
    "attention gsop_channel",
    "pooling isqrt_cov",
)
CONVS = {
    "plain": {"kernel_size": 3, "padding": 1},
    "strided": {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0), "dilation": (1, 2), "bias": False},
    "grouped": {"kernel_size": 3, "groups": 2, "padding": 1, "padding_mode": "circular"},
    "depthwise": {"kernel_size": 3, "groups": CHANNELS},
    "pointwise": {"kernel_size": 1},
}
BLOCKS: dict[str, dict[str, Any]] = {
    "gsop_position": {"as_published": True},
    "gsop_average": {"norm": "layer"},
    "non_local": {"similarity": "concatenation"},
}


def conv(name: str, geometry: str) -> nn.Module:
    return create_conv(name, CHANNELS, CHANNELS, **CONVS[geometry])  # type: ignore[arg-type]


def parts() -> dict[str, nn.Module]:
    """All there is, by name."""
    blocks = {
        f"attention {name}": create_attention(name, CHANNELS, **BLOCKS.get(name, {})) for name in list_attentions()
    }
    heads = {f"pooling {name}": create_pooling(name, CHANNELS) for name in list_poolings()}
    return {**{f"{name} plain": conv(name, "plain") for name in list_convs()}, **blocks, **heads}


def moved(model: nn.Module) -> nn.Module:
    """Every parameter off its start, where zeros would hide what they multiply; statistics that are not trivial."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
        model.train()(torch.randn(8, CHANNELS, *SIZES[0], generator=generator))
    return model.eval()


class Exported:
    """Modules side by side, and the session of their file."""

    def __init__(self, modules: dict[str, nn.Module], path: Path) -> None:
        torch.manual_seed(0)
        self.model = SideBySide(modules)
        moved(self.model)
        self.file = export_onnx(self.model, path, torch.randn(1, CHANNELS, *SIZES[0]), batches=(2,))
        self.session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        self.found: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}

    def both(self, shape: tuple[int, ...]) -> dict[str, tuple[Tensor, Tensor]]:
        """What onnxruntime and PyTorch make of noise, by the parts' names."""
        if shape not in self.found:
            x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
            given = self.session.run(None, {"input": x.numpy()})
            with torch.no_grad():
                expected = self.model(x)
            self.found[shape] = [(torch.from_numpy(g), e) for g, e in zip(given, expected, strict=True)]
        return dict(zip(self.model.names, self.found[shape], strict=True))


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    modules = {name: module for name, module in parts().items() if name in FEW}
    return Exported(modules, tmp_path_factory.mktemp("onnx") / "some.onnx")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(parts(), tmp_path_factory.mktemp("onnx") / "everything.onnx")


def assert_equal(exported: Exported, name: str, shape: tuple[int, ...]) -> None:
    given, expected = exported.both(shape)[name]
    assert given.shape == expected.shape
    assert (given - expected).abs().max() <= TOLERANCE * expected.abs().max()


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("batch", BATCHES)
def test_one_of_every_kind_of_kernel(some: Exported, name: str, batch: int, size: tuple[int, int]) -> None:
    assert_equal(some, name, (batch, CHANNELS, *size))


@pytest.mark.slow
@pytest.mark.parametrize("name", parts())
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("batch", BATCHES)
def test_every_part(everything: Exported, name: str, batch: int, size: tuple[int, int]) -> None:
    assert_equal(everything, name, (batch, CHANNELS, *size))


def test_nothing_in_the_file_depends_on_the_batch(some: Exported) -> None:
    model = onnx.load(some.file.path)
    onnx.checker.check_model(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolutions
    assert all(node.input[1] in constants for node in convolutions)
    (entry,) = model.graph.input
    sizes = [size.dim_param or size.dim_value for size in entry.type.tensor_type.shape.dim]
    assert sizes == ["batch", CHANNELS, "height", "width"]
    assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.slow
@pytest.mark.parametrize("geometry", [name for name in CONVS if name != "plain"])
def test_other_geometries(geometry: str, tmp_path: Path) -> None:
    exported = Exported({name: conv(name, geometry) for name in list_convs()}, tmp_path / "convs.onnx")
    for batch in BATCHES:
        for name in exported.model.names:
            assert_equal(exported, name, (batch, CHANNELS, *SIZES[1]))


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
