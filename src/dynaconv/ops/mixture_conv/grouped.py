"""`mixture_conv` by writing out every sample's kernel: the usual form, large in memory."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import DenseKernel, MixtureKernel
from dynaconv.ops.dense_conv.grouped import grouped as dense_grouped
from dynaconv.spec import ConvSpec

__all__ = ["grouped"]


def grouped(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """B kernels in memory, then one convolution with B·g groups; see `reference` for arguments and result."""
    return dense_grouped(x, DenseKernel(kernel.dense(), kernel.bias()), spec)
