"""A convolution whose taps are weighted anew at every output position. `reference` defines it."""

from dynaconv.ops.tapwise_conv.api import ALGORITHMS, run, tapwise_conv

__all__ = ["ALGORITHMS", "run", "tapwise_conv"]
