"""Convolutions whose kernels depend on the input: context → coefficients → kernel → convolution."""

from dynaconv import errors, kernels, ops
from dynaconv.spec import ConvSpec

__all__ = ["ConvSpec", "errors", "kernels", "ops"]

__version__ = "0.1.0"
