"""`dense_conv`: a convolution with a kernel per sample."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import DenseKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv import exported
from dynaconv.ops.dense_conv.algorithms import REGISTRY
from dynaconv.ops.dense_conv.operator import OPERATOR
from dynaconv.ops.dense_conv.reference import reference
from dynaconv.ops.exported import is_exporting
from dynaconv.ops.geometry import spec_of
from dynaconv.ops.maps import with_bias
from dynaconv.ops.precision import autocast
from dynaconv.ops.recompute import recomputed
from dynaconv.ops.static_conv import padded
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["dense_conv", "run"]

_dense_conv = recomputed(OPERATOR)


def run(x: Tensor, kernel: DenseKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    REGISTRY.check_name(algorithm)
    weight = autocast(kernel.weight, x)
    if is_exporting(algorithm):
        return with_bias(exported.forward(autocast(x, x), weight, spec), kernel.bias)
    x, spec = padded(autocast(x, x), spec)
    y = reference(x, weight, spec) if algorithm == "reference" else _dense_conv(x, weight, spec, algorithm)
    return with_bias(y, kernel.bias)


def dense_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    algorithm: str = "auto",
) -> Tensor:
    """Convolve every sample with its own kernel: `y_b = weight_b * x_b + bias_b`.

    Args:
        x: `(B, I, *S)` with one, two or three spatial dimensions.
        weight: `(B, O, I/groups, *k)`.
        bias: `(B, O)`, `(O,)` or `None`.
        stride: as in `nn.Conv2d`.
        padding: as in `nn.Conv2d`; `"same"` and `"valid"` too.
        dilation: as in `nn.Conv2d`.
        groups: as in `nn.Conv2d`.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
        algorithm: `"auto"`, or one by name: `"native"`, `"per_sample"`, `"patches"`, `"grouped"`, `"reference"`.

    Returns:
        `(B, O, *S_out)`.

    Raises:
        ArgumentError: an argument is not allowed, or a tensor's shape does not fit (ShapeError).

    Example:
        >>> import torch
        >>> x, weight = torch.randn(2, 3, 8, 8), torch.randn(2, 4, 3, 3, 3)
        >>> dense_conv(x, weight, padding=1).shape
        torch.Size([2, 4, 8, 8])
    """
    spec = spec_of(
        x,
        "weight",
        weight,
        1,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    return run(x, DenseKernel(weight, bias), spec, algorithm)
