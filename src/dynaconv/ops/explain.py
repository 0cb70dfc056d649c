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
from dynaconv.ops.cell_conv.operator import OPERATOR as CELLS
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv.operator import OPERATOR as DENSE
from dynaconv.ops.fourier_conv.operator import OPERATOR as FOURIER
from dynaconv.ops.mixture_conv.operator import OPERATOR as MIXTURE
from dynaconv.ops.static_conv import padded
from dynaconv.ops.tapwise_conv.operator import OPERATOR as TAPWISE
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
            return explain_choice(MIXTURE.registry, MIXTURE.problem(x, kernel, spec=spec))
        case DenseKernel():
            return explain_choice(DENSE.registry, DENSE.problem(x, kernel.weight, spec=spec))
        case TapwiseKernel():
            return explain_choice(TAPWISE.registry, TAPWISE.problem(x, kernel.weight, kernel.taps, spec=spec))
        case CellKernel():
            return explain_choice(CELLS.registry, CELLS.problem(x, kernel, spec=spec))
        case FourierKernel():
            return explain_choice(FOURIER.registry, FOURIER.problem(x, kernel, spec=spec))
        case LowRankKernel():
            return "low-rank kernel: one ordinary convolution and two thin products, no kernel is written out"
        case StaticKernel():
            return "static kernel: one ordinary convolution, there is nothing to choose"
