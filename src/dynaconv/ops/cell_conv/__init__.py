"""A convolution with a kernel per sample whose blocks are mixtures of shared cells. `reference` defines it."""

from dynaconv.ops.cell_conv.algorithms import REGISTRY
from dynaconv.ops.cell_conv.api import run

__all__ = ["REGISTRY", "run"]
