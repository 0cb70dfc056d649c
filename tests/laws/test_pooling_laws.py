"""What pooling is invariant to, and what not, as the documentation says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dynaconv.pooling import AttentionPool, Pooling, create_pooling

HEADS: dict[str, dict[str, Any]] = {
    "average": {},
    "max": {},
    "generalized_mean": {},
    "attention": {"heads": 2},
    "covariance": {"reduced_channels": 4},
    "isqrt_cov": {"reduced_channels": 4},
}
EACH = pytest.mark.parametrize("name", HEADS)
STRIDE = 4


def head(name: str) -> Pooling:
    pool = create_pooling(name, 6, **HEADS[name]).double().eval()
    if isinstance(pool, AttentionPool):
        nn.init.normal_(pool.query)
    return pool


def network() -> nn.Sequential:
    """Convolutions of stride 4 in all, without borders: the image is a torus."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, stride=2, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3, stride=2, padding=1, padding_mode="circular"),
    ).double()


def image() -> Tensor:
    return torch.randn(2, 3, 24, 24, dtype=torch.float64)


def relative_change(pool: Pooling, x: Tensor, changed: Tensor) -> float:
    return ((pool(changed) - pool(x)).norm() / pool(x).norm()).item()


@EACH
def test_the_order_of_positions_is_lost(name: str) -> None:
    pool, x = head(name), torch.randn(2, 6, 4, 5, dtype=torch.float64)
    shuffled = x.flatten(2)[:, :, torch.randperm(20)].reshape(x.shape)
    torch.testing.assert_close(pool(shuffled), pool(x))
    torch.testing.assert_close(pool(x.mT), pool(x))


@EACH
def test_shifting_the_image_by_the_stride_changes_nothing(name: str) -> None:
    features, pool, x = network(), head(name), image()
    shifted = x.roll((STRIDE, -2 * STRIDE), (2, 3))
    torch.testing.assert_close(pool(features(shifted)), pool(features(x)))


@EACH
def test_shifting_it_by_less_changes_the_vector(name: str) -> None:
    features, pool, x = network(), head(name), image()
    assert relative_change(pool, features(x), features(x.roll(1, 3))) > 0.01


@EACH
def test_turning_the_image_changes_the_vector(name: str) -> None:
    features, pool, x = network(), head(name), image()
    assert relative_change(pool, features(x), features(x.rot90(1, (2, 3)))) > 0.01


@EACH
def test_enlarging_the_image_changes_the_vector(name: str) -> None:
    features, pool, x = network(), head(name), image()
    enlarged = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    assert relative_change(pool, features(x), features(enlarged)) > 0.01


@pytest.mark.parametrize("name", ["covariance", "isqrt_cov"])
def test_second_order_heads_do_not_see_a_channels_level(name: str) -> None:
    pool = create_pooling(name, 6).double()
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(pool(x + torch.randn(6, 1, 1, dtype=torch.float64)), pool(x))


@pytest.mark.parametrize(("name", "power"), [("average", 1), ("covariance", 2), ("isqrt_cov", 1)])
def test_how_vectors_grow_with_the_features(name: str, power: int) -> None:
    pool = create_pooling(name, 6).double()
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(pool(3 * x), 3**power * pool(x))
