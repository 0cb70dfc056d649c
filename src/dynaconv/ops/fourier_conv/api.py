"""`fourier_conv`: a convolution with a kernel per sample, made from a spectrum under gates."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import DenseKernel, FourierKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv import run as run_dense
from dynaconv.ops.exported import is_exporting
from dynaconv.ops.fourier_conv.algorithms import REGISTRY
from dynaconv.ops.fourier_conv.operator import OPERATOR
from dynaconv.ops.maps import with_bias
from dynaconv.ops.precision import autocast
from dynaconv.ops.recompute import recomputed
from dynaconv.ops.static_conv import padded
from dynaconv.spec import ConvSpec

__all__ = ["run"]

_fourier_conv = recomputed(OPERATOR)


def run(x: Tensor, kernel: FourierKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    REGISTRY.check_name(algorithm)
    if is_exporting(algorithm) or algorithm == "reference":
        weight = kernel.dense().to(x.dtype)
        return run_dense(x, DenseKernel(weight, kernel.bias), spec, algorithm)
    x, spec = padded(autocast(x, x), spec)
    dtype = kernel.spectrum.dtype
    factors = (f if f is None else f.to(dtype) for f in (kernel.left, kernel.right, kernel.vectors, kernel.context))
    # A tensor that takes no memory tells the operator the kernel's size.
    size = x.new_empty(()).expand(kernel.size)
    spectrum = (kernel.spectrum, kernel.runs, kernel.order, kernel.gates.to(dtype))
    y = _fourier_conv(x, *spectrum, *factors, size, spec, algorithm)
    return with_bias(y, kernel.bias)
