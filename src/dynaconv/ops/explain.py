"""What `conv` would do with a kernel, without doing it."""

from __future__ import annotations

from torch import Tensor

from dynaconv.dispatch import explain_choice
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
from dynaconv.ops.cell_conv import operator as cells
from dynaconv.ops.cell_conv.algorithms import REGISTRY as CELLS
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv import operator as dense
from dynaconv.ops.dense_conv.algorithms import REGISTRY as DENSE
from dynaconv.ops.fourier_conv import operator as fourier
from dynaconv.ops.fourier_conv.algorithms import REGISTRY as FOURIER
from dynaconv.ops.mixture_conv import operator as mixture
from dynaconv.ops.mixture_conv.algorithms import REGISTRY as MIXTURE
from dynaconv.ops.static_conv import padded
from dynaconv.ops.tapwise_conv import operator as tapwise
from dynaconv.ops.tapwise_conv.algorithms import REGISTRY as TAPWISE
from dynaconv.spec import ConvSpec

__all__ = ["explain_conv"]


def explain_conv(x: Tensor, kernel: Kernel, spec: ConvSpec) -> str:
    """The algorithm that `conv` would choose, the reasons against the others, work, memory and estimated time.

    Args:
        x: `(B, I, *S)`.
        kernel: the kernel that each sample gets.
        spec: the geometry.

    Raises:
        ArgumentError: a shape does not fit.
    """
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    x, spec = padded(x, spec)
    match kernel:
        case MixtureKernel():
            return explain_choice(MIXTURE, mixture.problem_of(x, kernel, spec))
        case DenseKernel():
            return explain_choice(DENSE, dense.problem_of(x, spec))
        case TapwiseKernel():
            return explain_choice(TAPWISE, tapwise.problem_of(x, spec))
        case CellKernel():
            return explain_choice(CELLS, cells.problem_of(x, kernel, spec))
        case FourierKernel():
            return explain_choice(FOURIER, fourier.problem_of(x, kernel, spec))
        case LowRankKernel():
            return "low-rank kernel: one ordinary convolution and two thin products, no kernel is written out"
        case StaticKernel():
            return "static kernel: one ordinary convolution, there is nothing to choose"
