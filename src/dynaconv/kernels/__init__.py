"""Kernels: the values that layers hand to the convolution, and the modules that generate them."""

from dynaconv.kernels.attended_slices import AttendedSlices
from dynaconv.kernels.gated_slices import GatedSlices
from dynaconv.kernels.values import DenseKernel, Kernel, MixtureKernel, StaticKernel, TapwiseKernel

__all__ = [
    "AttendedSlices",
    "DenseKernel",
    "GatedSlices",
    "Kernel",
    "MixtureKernel",
    "StaticKernel",
    "TapwiseKernel",
]
