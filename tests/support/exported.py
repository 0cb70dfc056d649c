"""What there is to export, and an exported model beside the one that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from support.side_by_side import SideBySide
from torch import Tensor, nn

from dynaconv.attention import create_attention, list_attentions
from dynaconv.export import export_onnx
from dynaconv.layers import create_conv
from dynaconv.pooling import create_pooling, list_poolings

CHANNELS = 8
BATCHES = (1, 3, 16)
SIZES = ((9, 12), (14, 11))
SHAPES = tuple((batch, CHANNELS, *size) for batch in BATCHES for size in SIZES)
# The largest difference, as a share of the largest output. Measured: see the table of docs/export.md.
TOLERANCE = 2e-5
GEOMETRIES: Mapping[str, dict[str, Any]] = {
    "plain": {"kernel_size": 3, "padding": 1},
    "strided": {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0), "dilation": (1, 2), "bias": False},
    "grouped": {"kernel_size": 3, "groups": 2, "padding": 1, "padding_mode": "circular"},
    "depthwise": {"kernel_size": 3, "groups": CHANNELS},
    "pointwise": {"kernel_size": 1},
}
_BLOCKS: Mapping[str, dict[str, Any]] = {
    "gsop_position": {"as_published": True},
    "gsop_average": {"norm": "layer"},
    "non_local": {"similarity": "concatenation"},
}


def conv(name: str, geometry: str = "plain") -> nn.Module:
    """A registered convolution."""
    return create_conv(name, CHANNELS, CHANNELS, **GEOMETRIES[geometry])


def blocks() -> dict[str, nn.Module]:
    """Every attention block and pooling head, by kind and name."""
    attentions = {f"attention {n}": create_attention(n, CHANNELS, **_BLOCKS.get(n, {})) for n in list_attentions()}
    return {**attentions, **{f"pooling {name}": create_pooling(name, CHANNELS) for name in list_poolings()}}


def moved(model: nn.Module) -> nn.Module:
    """Every parameter off its start, where zeros would hide what they multiply; statistics that are not trivial."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
        model.train()(torch.randn(8, CHANNELS, *SIZES[0], generator=generator))
    return model.eval()


def noise(shape: tuple[int, ...]) -> Tensor:
    """The same for the same shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


class Exported:
    """Modules side by side, and their file in onnxruntime."""

    def __init__(self, modules: Mapping[str, nn.Module], path: Path) -> None:
        self.model = SideBySide(modules)
        moved(self.model)
        self.file = export_onnx(self.model, path, torch.randn(1, CHANNELS, *SIZES[0]), batches=(2,))
        self.session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        self._found: dict[tuple[int, ...], dict[str, float]] = {}

    def difference(self, name: str, shape: tuple[int, ...]) -> float:
        """The largest difference of a module's output on noise, as a share of its largest number."""
        if shape not in self._found:
            x = noise(shape)
            given = self.session.run(None, {"input": x.numpy()})
            with torch.no_grad():
                expected = self.model(x)
            shares = (share(torch.from_numpy(g), e) for g, e in zip(given, expected, strict=True))
            self._found[shape] = dict(zip(self.model.names, shares, strict=True))
        return self._found[shape][name]


def share(given: Tensor, expected: Tensor) -> float:
    """The largest difference of two tensors of one shape, as a share of the largest expected number."""
    assert given.shape == expected.shape
    return float((given - expected).abs().max() / expected.abs().max())
