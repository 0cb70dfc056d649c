"""A convolution with a kernel per sample whose frequencies have gates. `FourierKernel.dense` defines the kernel."""

from dynaconv.ops.fourier_conv.algorithms import REGISTRY
from dynaconv.ops.fourier_conv.api import run

__all__ = ["REGISTRY", "run"]
