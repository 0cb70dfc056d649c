"""A convolution whose kernel each sample mixes from a bank of experts. `reference` defines it."""

from dynaconv.ops.mixture_conv.algorithms import REGISTRY
from dynaconv.ops.mixture_conv.api import mixture_conv, run

__all__ = ["REGISTRY", "mixture_conv", "run"]
