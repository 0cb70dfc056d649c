"""Causal convolution and the temporal convolutional network: nothing looks ahead, and how far back they see."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv import create_conv
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.layers import TCN, CausalConv1d, TCNBlock


def sequence(length: int = 20, batch: int = 2) -> Tensor:
    return torch.randn(batch, 4, length, dtype=torch.float64)


def seen_by(network: nn.Module, length: int, at: int) -> list[int]:
    """The times of the input that the output at one time depends on."""
    x = sequence(length, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(network(x)[..., at].sum(), x)
    return [int(i) for i in gradient.abs().sum((0, 1)).nonzero()]


@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 1), (2, 1), (3, 4), (5, 2)])
def test_causal_is_a_padded_convolution(kernel_size: int, dilation: int) -> None:
    layer = CausalConv1d(4, 6, kernel_size, dilation=dilation, groups=2).double()
    x = sequence()
    before = (kernel_size - 1) * dilation
    expected = F.conv1d(F.pad(x, (before, 0)), layer.weight, layer.bias, dilation=dilation, groups=2)
    torch.testing.assert_close(layer(x), expected)
    assert seen_by(layer, 20, 19) == [19 - dilation * tap for tap in reversed(range(kernel_size))]


def test_causal_by_name_with_stride() -> None:
    layer = create_conv("causal", 4, 6, 3, stride=2, padding_mode="replicate", bias=False, dims=1).double()
    x = sequence(7)
    assert layer(x).shape == (2, 6, 4)
    weight: Tensor = layer.weight  # type: ignore[assignment]  # a parameter
    torch.testing.assert_close(layer(x)[..., 0], torch.einsum("oit,bi->bo", weight, x[..., 0]))
    assert "4, 6, kernel_size=(3,), stride=(2,)" in repr(layer)
    assert layer(x[:0]).shape == (0, 6, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": 1}, "padding=1: expected 0, since a causal convolution"),
        ({"padding": "same"}, "padding='same': expected 0, since"),
        ({"padding_mode": "circular"}, 'padding_mode=\'circular\': expected "zeros" or "replicate"'),
        ({"dilation": 0}, "dilation=0: expected an integer >= 1"),
    ],
)
def test_causal_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CausalConv1d(4, 6, 3, **options)


@pytest.mark.parametrize(("blocks", "kernel_size"), [(1, 2), (2, 3), (3, 2), (1, 1)])
def test_receptive_field(blocks: int, kernel_size: int) -> None:
    network = TCN(4, (5,) * blocks, kernel_size).double().eval()
    for module in network.modules():
        if isinstance(module, CausalConv1d):
            nn.init.ones_(module.bias)  # no ReLU is off
    expected = 1 + 2 * (kernel_size - 1) * (2**blocks - 1)
    assert network.receptive_field == expected
    seen = seen_by(network, expected + 6, expected + 2)
    assert (min(seen), max(seen)) == (3, expected + 2)


def test_the_block_written_out() -> None:
    block, x = TCNBlock(4, 6, 3, dilation=2).double().eval(), sequence()

    def causal(x: Tensor, layer: Any) -> Tensor:
        direction, size = layer.parametrizations.weight.original1, layer.parametrizations.weight.original0
        weight = size * direction / direction.flatten(1).norm(dim=1)[:, None, None]
        return F.conv1d(F.pad(x, (4, 0)), weight, layer.bias, dilation=2)

    hidden = causal(causal(x, block.conv1).relu(), block.conv2).relu()
    shortcut = block.shortcut
    assert isinstance(shortcut, nn.Conv1d)
    torch.testing.assert_close(block(x), (hidden + F.conv1d(x, shortcut.weight, shortcut.bias)).relu())
    assert isinstance(TCNBlock(4, 4, 3).shortcut, nn.Identity)


def test_parameters() -> None:
    # Weight, bias and one norm per output channel; a 1×1 shortcut only where the widths differ.
    expected = (5 * 4 * 3 + 2 * 5) + (5 * 5 * 3 + 2 * 5) + (4 * 5 + 5) + 2 * (5 * 5 * 3 + 2 * 5)
    assert sum(p.numel() for p in TCN(4, (5, 5), 3).parameters()) == expected


def test_whole_channels_are_dropped() -> None:
    block = TCNBlock(4, 4, 1, dropout=0.5).train()
    dropped = block.dropout(torch.ones(8, 4, 5))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert (dropped == dropped[..., :1]).all()


def test_copies_state_and_gradients() -> None:
    network, x = TCN(4, (3, 5), 2).double().eval(), sequence(6)
    torch.testing.assert_close(copy.deepcopy(network)(x), network(x))
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other = TCN(4, (3, 5), 2).double().eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x), network(x))
    leaf = x[:1].requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: network(x), (leaf, *network.parameters()), fast_mode=True)


def test_tcn_errors() -> None:
    with pytest.raises(ArgumentError, match=r"channels=\(\): expected the output channels of at least one block"):
        TCN(4, ())
    with pytest.raises(ArgumentError, match="dropout=1: expected a number from 0"):
        TCNBlock(4, 4, 3, dropout=1)
    with pytest.raises(ArgumentError, match="kernel_size=0: expected an integer >= 1"):
        TCNBlock(4, 4, 0)
    with pytest.raises(ShapeError, match=r"x=\(2, 3, 20\): expected \(B, 4, L\)"):
        TCNBlock(4, 4, 3)(sequence()[:, :3].float())
