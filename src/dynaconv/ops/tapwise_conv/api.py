"""`tapwise_conv`: a convolution whose taps are weighted anew at every output position."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import TapwiseKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.exported import is_exporting
from dynaconv.ops.geometry import spec_of
from dynaconv.ops.maps import with_bias
from dynaconv.ops.precision import autocast
from dynaconv.ops.recompute import recomputed
from dynaconv.ops.static_conv import padded
from dynaconv.ops.tapwise_conv import exported
from dynaconv.ops.tapwise_conv.algorithms import REGISTRY
from dynaconv.ops.tapwise_conv.operator import OPERATOR
from dynaconv.ops.tapwise_conv.reference import reference
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["run", "tapwise_conv"]

_tapwise_conv = recomputed(OPERATOR)


def run(x: Tensor, kernel: TapwiseKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    REGISTRY.check_name(algorithm)
    weight, taps = autocast(kernel.weight, x), autocast(kernel.taps, x)
    if is_exporting(algorithm):
        return with_bias(exported.forward(autocast(x, x), weight, taps, spec), kernel.bias)
    x, spec = padded(autocast(x, x), spec)
    y = (
        reference(x, weight, taps, spec)
        if algorithm == "reference"
        else _tapwise_conv(x, weight, taps, spec, algorithm)
    )
    return with_bias(y, kernel.bias)


def tapwise_conv(
    x: Tensor,
    weight: Tensor,
    taps: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    algorithm: str = "auto",
) -> Tensor:
    """Convolve with a static kernel whose taps are weighted at every position p: see `TapwiseKernel` for the formula.

    Args:
        x: `(B, I, *S)` with one, two or three spatial dimensions.
        weight: `(O, I/groups, *k)`.
        taps: `(B, G, T, *S_out)`: T = prod(k) weights per position; G groups of input channels share them.
        bias: `(O,)` or `None`.
        stride: as in `nn.Conv2d`.
        padding: as in `nn.Conv2d`; `"same"` and `"valid"` too.
        dilation: as in `nn.Conv2d`.
        groups: as in `nn.Conv2d`.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
        algorithm: `"auto"`, or one by name: `"native"`, `"unfold"`, `"shifts"`, `"samples"`, `"depthwise"`,
            `"reference"`.

    Returns:
        `(B, O, *S_out)`.

    Raises:
        ArgumentError: an argument is not allowed, or a tensor's shape does not fit (ShapeError).

    Example:
        >>> import torch
        >>> x, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
        >>> tapwise_conv(x, weight, torch.rand(2, 1, 9, 8, 8), padding=1).shape
        torch.Size([2, 4, 8, 8])
    """
    spec = spec_of(
        x,
        "weight",
        weight,
        0,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    return run(x, TapwiseKernel(weight, taps, bias), spec, algorithm)
