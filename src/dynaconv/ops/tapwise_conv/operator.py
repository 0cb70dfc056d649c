"""`tapwise_conv` as an operator."""

from __future__ import annotations

from dynaconv.ops.conv_operator import ConvOperator
from dynaconv.ops.tapwise_conv.algorithms import REGISTRY
from dynaconv.ops.tapwise_conv.tap_blocks import TapBlocks

__all__ = ["OPERATOR"]

OPERATOR = ConvOperator(
    "tapwise_conv",
    ("x", "weight", "taps"),
    REGISTRY,
    shape=lambda weight, taps: weight.shape,
    written_out=TapBlocks(None).forward,
)
