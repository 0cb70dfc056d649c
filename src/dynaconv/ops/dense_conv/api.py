"""`dense_conv`: a convolution with a kernel per sample."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import DenseKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.choose import choose
from dynaconv.ops.dense_conv.grouped import grouped
from dynaconv.ops.dense_conv.reference import reference
from dynaconv.ops.geometry import spec_of
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["ALGORITHMS", "dense_conv", "run"]

ALGORITHMS = {"grouped": grouped, "reference": reference}


def run(x: Tensor, kernel: DenseKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    return choose(algorithm, ALGORITHMS, "grouped")(x, kernel, spec)


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
        algorithm: `"auto"`, or one by name: `"grouped"`, `"reference"`.

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
