"""A convolution with a kernel per sample. `reference` defines it."""

from dynaconv.ops.dense_conv.api import ALGORITHMS, dense_conv, run

__all__ = ["ALGORITHMS", "dense_conv", "run"]
