"""`cell_conv`: a convolution with a kernel per sample, put together from shared cells."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import CellKernel
from dynaconv.ops.cell_conv.algorithms import REGISTRY
from dynaconv.ops.cell_conv.operator import OPERATOR
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv import exported
from dynaconv.ops.exported import is_exporting
from dynaconv.ops.maps import with_bias
from dynaconv.ops.precision import autocast
from dynaconv.ops.recompute import recomputed
from dynaconv.ops.static_conv import padded
from dynaconv.spec import ConvSpec

__all__ = ["run"]

_cell_conv = recomputed(OPERATOR)


def run(x: Tensor, kernel: CellKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    REGISTRY.check_name(algorithm)
    cells, mixture = autocast(kernel.cells, x), autocast(kernel.mixture, x)
    if is_exporting(algorithm):
        return with_bias(exported.forward(autocast(x, x), CellKernel(cells, mixture).dense(), spec), kernel.bias)
    x, spec = padded(autocast(x, x), spec)
    if algorithm == "reference":
        y: Tensor = REGISTRY.algorithms[algorithm].forward(x, CellKernel(cells, mixture), spec)
    else:
        y = _cell_conv(x, cells, mixture, spec, algorithm)
    return with_bias(y, kernel.bias)
