"""Kernels: the values that layers hand to the convolution, and the modules that generate them."""

from dynaconv.kernels.attended_slices import AttendedSlices
from dynaconv.kernels.cell_kernel import CellKernel
from dynaconv.kernels.fourier import FourierKernels
from dynaconv.kernels.fourier_kernel import FourierKernel
from dynaconv.kernels.gated_slices import GatedSlices
from dynaconv.kernels.low_rank import LowRankKernel
from dynaconv.kernels.memory_format import kernelwise
from dynaconv.kernels.values import DenseKernel, Kernel, MixtureKernel, StaticKernel, TapwiseKernel
from dynaconv.kernels.warehouse import Shelf, Warehouse

__all__ = [
    "AttendedSlices",
    "CellKernel",
    "DenseKernel",
    "FourierKernel",
    "FourierKernels",
    "GatedSlices",
    "Kernel",
    "LowRankKernel",
    "MixtureKernel",
    "Shelf",
    "StaticKernel",
    "TapwiseKernel",
    "Warehouse",
    "kernelwise",
]
