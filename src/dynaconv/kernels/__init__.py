"""Kernels: the values that layers hand to the convolution, and the modules that generate them."""

from dynaconv.kernels.values import DenseKernel, Kernel, MixtureKernel, StaticKernel, TapwiseKernel

__all__ = ["DenseKernel", "Kernel", "MixtureKernel", "StaticKernel", "TapwiseKernel"]
