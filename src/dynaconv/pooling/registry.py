"""Pooling heads by name."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from dynaconv.errors import ArgumentError
from dynaconv.options import check_options
from dynaconv.pooling.attention import AttentionPool
from dynaconv.pooling.base import Pooling
from dynaconv.pooling.first_order import AveragePool, GeneralizedMeanPool, MaxPool
from dynaconv.pooling.second_order import CovariancePool, IsqrtCovPool

__all__ = ["POOLINGS", "create_pooling", "list_poolings"]

POOLINGS: Mapping[str, type[Pooling]] = MappingProxyType(
    {
        "average": AveragePool,
        "max": MaxPool,
        "generalized_mean": GeneralizedMeanPool,
        "attention": AttentionPool,
        "covariance": CovariancePool,
        "isqrt_cov": IsqrtCovPool,
    }
)


def list_poolings() -> list[str]:
    """The names that `create_pooling` takes."""
    return list(POOLINGS)


def create_pooling(name: str, channels: int, **options: Any) -> Pooling:
    """A pooling head by name: `(B, channels, H, W)` → `(B, D)`, with D as `out_features`.

    Args:
        name: one of `list_poolings()`.
        channels: of the map.
        **options: the head's own; see its class.

    Raises:
        ArgumentError: no such head, or an argument or option that the head does not take.

    Example:
        >>> create_pooling("isqrt_cov", 512, reduced_channels=128).out_features
        8256
    """
    if name not in POOLINGS:
        raise ArgumentError("name", name, f"one of {', '.join(POOLINGS)}")
    cls: type[Any] = POOLINGS[name]
    allowed = [option for option in signature(cls).parameters if option != "channels"]
    check_options(name, options, allowed)
    pooling: Pooling = cls(channels, **options)
    return pooling
