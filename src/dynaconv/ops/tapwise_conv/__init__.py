"""A convolution whose taps are weighted anew at every output position. `reference` defines it."""

from dynaconv.ops.tapwise_conv.algorithms import REGISTRY
from dynaconv.ops.tapwise_conv.api import run, tapwise_conv

__all__ = ["REGISTRY", "run", "tapwise_conv"]
