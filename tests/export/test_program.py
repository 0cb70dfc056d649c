"""Programs of torch.export: written, read again, and run on every batch and image size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.exported import CHANNELS, SHAPES, SIZES, blocks, conv, moved, noise, share
from support.side_by_side import SideBySide
from torch import nn

from dynaconv.export import export_program
from dynaconv.layers import list_convs

# The same operations on the same machine: rounding of sums in another order.
TOLERANCE = 1e-5


def read_again(model: nn.Module, path: Path) -> Any:
    program = export_program(model, torch.randn(1, CHANNELS, *SIZES[0]))
    assert not [node for node in program.graph.nodes if "dynaconv" in str(node.target)]
    torch.export.save(program, path)
    return torch.export.load(path).module()


@pytest.mark.parametrize("name", list_convs())
def test_every_method(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = moved(conv(name))
    program = read_again(layer, tmp_path / "layer.pt2")
    with torch.no_grad():
        assert max(share(program(noise(shape)), layer(noise(shape))) for shape in SHAPES) <= TOLERANCE


def test_attention_blocks_and_pooling_heads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = moved(SideBySide(blocks()))
    program = read_again(model, tmp_path / "blocks.pt2")
    with torch.no_grad():
        for shape in SHAPES:
            pairs = zip(program(noise(shape)), model(noise(shape)), strict=True)
            assert max(share(*pair) for pair in pairs) <= TOLERANCE
