"""GSoP blocks against their equations; what their centring and their fusions mean."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv.attention import GSoPAverage, GSoPChannel, GSoPConcat, GSoPMax, GSoPPosition, create_attention
from dynaconv.attention.gsop_position import _published_covariance
from dynaconv.errors import ArgumentError


def made(name: str, channels: int = 8, **options: Any) -> nn.Module:
    """A block in float64 whose every parameter is random, in evaluation mode."""
    torch.manual_seed(1)
    block = create_attention(name, channels, **{"reduced_channels": 6, **options}).double().eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter, 0.1, 0.5)
    return block


def image(channels: int = 8, size: tuple[int, int] = (6, 5)) -> Tensor:
    return torch.randn(2, channels, *size, dtype=torch.float64)


def scores_by_hand(block: nn.Module, covariance: Tensor, activation: nn.Module) -> Tensor:
    """Every row of a normalised covariance meets its own four filters; then the linear map."""
    scale = block.scores.norm.weight / (1 + block.scores.norm.eps) ** 0.5
    rows = covariance * scale[:, None] + block.scores.norm.bias[:, None]
    filters = block.scores.rows.weight.reshape(len(rows), 4, len(rows))
    said = torch.stack([filters[i] @ rows[i] for i in range(len(rows))]).flatten() + block.scores.rows.bias
    scores: Tensor = block.scores.linear(activation(said))
    return scores


def test_channel_equation() -> None:
    block, x = made("gsop_channel"), image()
    assert isinstance(block, GSoPChannel)
    for b in range(2):
        reduced = block.reduce(x[b : b + 1].relu())[0].flatten(1)
        assert reduced.min() >= 0
        scores = scores_by_hand(block, torch.cov(reduced, correction=0), nn.Identity())
        torch.testing.assert_close(block(x)[b], torch.sigmoid(scores)[:, None, None] * x[b])


def test_stride_thins_the_positions() -> None:
    x = image()
    torch.testing.assert_close(made("gsop_channel", stride=2).gate(x), made("gsop_channel").gate(x[:, :, ::2, ::2]))


@pytest.mark.parametrize("as_published", [False, True])
def test_position_equation(as_published: bool) -> None:
    block, x = made("gsop_position", grid_size=3, as_published=as_published), image(size=(6, 9))
    assert isinstance(block, GSoPPosition)
    for b in range(2):
        reduced = block.reduce(x[b : b + 1].relu())[0]
        cells = reduced.reshape(6, 3, 2, 3, 3).mean((2, 4)).flatten(1)
        covariance = torch.cov(cells.T, correction=0)
        if as_published:
            covariance = cells.T @ cells / 9 - torch.outer(cells.sum(0), cells.sum(0)) / 81
        gates = torch.sigmoid(scores_by_hand(block, covariance, nn.ReLU())).reshape(3, 3)
        # Each gate covers the cell that it comes from.
        spread = gates.repeat_interleave(2, 0).repeat_interleave(3, 1)
        torch.testing.assert_close(block.gate(x)[b, 0], spread)
        torch.testing.assert_close(block(x)[b], (spread * x[b]).relu())


def test_published_centring_turns_the_mean_where_the_correct_one_removes_it() -> None:
    cells, channels = 64, 128
    x = torch.randn(1, cells, channels, dtype=torch.float64)
    mean = x.mean(2, keepdim=True)
    turned = x - 2 * mean
    torch.testing.assert_close(_published_covariance(x), turned @ x.mT / cells)
    # A reflection: the product is as it was without any centring, apart from the sign of the mean's part.
    torch.testing.assert_close(turned @ turned.mT, x @ x.mT)


def test_correct_position_covariance_does_not_see_what_all_channels_share() -> None:
    x = image()
    published, correct = made("gsop_position", grid_size=2, as_published=True), made("gsop_position", grid_size=2)
    for block in (published, correct):
        cells = torch.randn(2, 4, 6, dtype=torch.float64)
        shared = cells + torch.randn(2, 4, 1, dtype=torch.float64)
        same = torch.allclose(block.covariance(cells), block.covariance(shared))
        assert same is (block is correct)
    assert not torch.allclose(published(x), correct(x))


def test_fusions() -> None:
    x = image()
    for name, expected in (
        ("gsop_average", lambda c, p: (c + p) / 2),
        ("gsop_max", torch.maximum),
        ("gsop_concat", None),
    ):
        block = made(name, grid_size=2)
        assert isinstance(block, GSoPAverage | GSoPMax | GSoPConcat)
        channel, position = block.channel(x), block.position(x)
        if isinstance(block, GSoPConcat):
            stacked = torch.cat([channel, position], 1)
            weight = torch.cat([block.from_channel.weight, block.from_position.weight], 1)
            bias = block.from_channel.bias + block.from_position.bias
            found = block.norm(nn.functional.conv2d(stacked, weight, bias, padding=(7, 0)))
        else:
            found = expected(channel, position)
        torch.testing.assert_close(block(x), found)


@pytest.mark.parametrize(
    ("channels", "kernel", "groups"),
    [(256, 11, 4), (512, 9, 8), (1024, 7, 16), (2048, 5, 32), (96, 15, 1), (200, 15, 1)],
)
def test_the_concatenations_kernel(channels: int, kernel: int, groups: int) -> None:
    with torch.device("meta"):
        block = create_attention("gsop_concat", channels)
    assert (block.from_channel.kernel_size, block.from_channel.groups) == ((kernel, 1), groups)


def test_total_follows_as_published_unless_given() -> None:
    x = image()
    mean = made("gsop_average", grid_size=2)
    torch.testing.assert_close(made("gsop_average", grid_size=2, total="sum")(x), 2 * mean(x))
    published = made("gsop_average", grid_size=2, as_published=True)
    torch.testing.assert_close(published(x), published.channel(x) + published.position(x))


def test_a_whole_circle_of_shifts_leaves_the_channel_gates_alone() -> None:
    block, x = made("gsop_channel"), image()
    torch.testing.assert_close(block.gate(x.roll((2, 3), (2, 3))), block.gate(x))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gsop_channel", {"reduced_channels": 0}, "reduced_channels=0: expected an integer >= 1"),
        ("gsop_channel", {"stride": 0}, "stride=0: expected an integer >= 1"),
        ("gsop_channel", {"norm": "group"}, 'norm=\'group\': expected "batch", "layer" or None'),
        ("gsop_channel", {"as_published": True}, "as_published=True: expected only options that 'gsop_channel' has"),
        ("gsop_position", {"grid_size": -8}, "grid_size=-8: expected an integer >= 1"),
        ("gsop_position", {"stride": 1}, "stride=1: expected only options that 'gsop_position' has"),
        ("gsop_average", {"total": "median"}, "total='median': expected 'mean' or 'sum', or None"),
    ],
)
def test_bad_arguments(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        create_attention(name, 8, **options)
