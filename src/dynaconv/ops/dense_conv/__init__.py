"""A convolution with a kernel per sample. `reference` defines it."""

from dynaconv.ops.dense_conv.algorithms import REGISTRY
from dynaconv.ops.dense_conv.api import dense_conv, run

__all__ = ["REGISTRY", "dense_conv", "run"]
