"""`dense_conv` as an operator."""

from __future__ import annotations

from dynaconv.ops.conv_operator import ConvOperator
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.dense_conv.algorithms import REGISTRY

__all__ = ["OPERATOR"]

OPERATOR = ConvOperator(
    "dense_conv",
    ("x", "weight"),
    REGISTRY,
    shape=lambda weight: weight.shape[1:],
    written_out=grouped.forward,
)
