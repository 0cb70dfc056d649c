"""Pooling heads: a map `(B, C, H, W)` becomes one vector `(B, D)` for the classifier."""

from dynaconv.pooling.attention import AttentionPool, attention_pool
from dynaconv.pooling.base import Pooling
from dynaconv.pooling.first_order import AveragePool, GeneralizedMeanPool, MaxPool
from dynaconv.pooling.registry import create_pooling, list_poolings
from dynaconv.pooling.second_order import CovariancePool, IsqrtCovPool

__all__ = [
    "AttentionPool",
    "AveragePool",
    "CovariancePool",
    "GeneralizedMeanPool",
    "IsqrtCovPool",
    "MaxPool",
    "Pooling",
    "attention_pool",
    "create_pooling",
    "list_poolings",
]
