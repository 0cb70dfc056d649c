"""A convolution whose kernel each sample mixes from a bank of experts. `reference` defines it."""

from dynaconv.ops.mixture_conv.api import ALGORITHMS, mixture_conv, run

__all__ = ["ALGORITHMS", "mixture_conv", "run"]
