"""One convolution over every kind of kernel."""

from __future__ import annotations

from torch import Tensor

from dynaconv.errors import ArgumentError
from dynaconv.kernels import (
    CellKernel,
    DenseKernel,
    FourierKernel,
    Kernel,
    LowRankKernel,
    MixtureKernel,
    StaticKernel,
    TapwiseKernel,
)
from dynaconv.ops.cell_conv import run as run_cells
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv import run as run_dense
from dynaconv.ops.fourier_conv import run as run_fourier
from dynaconv.ops.low_rank_conv import run as run_low_rank
from dynaconv.ops.mixture_conv import run as run_mixture
from dynaconv.ops.static_conv import static_conv
from dynaconv.ops.tapwise_conv import run as run_tapwise
from dynaconv.spec import ConvSpec

__all__ = ["conv"]


def conv(x: Tensor, kernel: Kernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Convolve `x` with a kernel value.

    Args:
        x: `(B, I, *S)`.
        kernel: the kernel that each sample gets.
        spec: the geometry.
        algorithm: `"auto"`, or one of the operator's by name.

    Returns:
        `(B, O, *S_out)`.

    Raises:
        ArgumentError: a shape or the algorithm's name is not allowed.
    """
    match kernel:
        case MixtureKernel():
            return run_mixture(x, kernel, spec, algorithm)
        case DenseKernel():
            return run_dense(x, kernel, spec, algorithm)
        case TapwiseKernel():
            return run_tapwise(x, kernel, spec, algorithm)
        case CellKernel():
            return run_cells(x, kernel, spec, algorithm)
        case FourierKernel():
            return run_fourier(x, kernel, spec, algorithm)
        case LowRankKernel():
            return run_low_rank(x, kernel, spec, algorithm)
        case StaticKernel():
            if algorithm != "auto":
                raise ArgumentError("algorithm", algorithm, "auto, since a static kernel has no other")
            check_input(x, spec)
            check_kernel(x, kernel, spec)
            return static_conv(x, kernel.weight, kernel.bias, spec)
