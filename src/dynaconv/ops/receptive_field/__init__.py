"""Convolutions on a receptive field, which is as many times larger than the input as a kernel has taps."""

from dynaconv.ops.receptive_field.amounts import amounts
from dynaconv.ops.receptive_field.api import field_pool, field_statistics, weighted_field_conv
from dynaconv.ops.receptive_field.pools import PoolKind, pool

__all__ = [
    "PoolKind",
    "amounts",
    "field_pool",
    "field_statistics",
    "pool",
    "weighted_field_conv",
]
