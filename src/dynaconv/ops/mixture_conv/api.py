"""`mixture_conv`: a convolution whose kernel each sample mixes from a bank of experts."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.choose import choose
from dynaconv.ops.geometry import spec_of
from dynaconv.ops.mixture_conv.grouped import grouped
from dynaconv.ops.mixture_conv.reference import reference
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["ALGORITHMS", "mixture_conv", "run"]

ALGORITHMS = {"grouped": grouped, "reference": reference}


def run(x: Tensor, kernel: MixtureKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    return choose(algorithm, ALGORITHMS, "grouped")(x, kernel, spec)


def mixture_conv(
    x: Tensor,
    bank: Tensor,
    mixture: Tensor,
    *,
    tap_scale: Tensor | None = None,
    in_scale: Tensor | None = None,
    out_scale: Tensor | None = None,
    bias_bank: Tensor | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    algorithm: str = "auto",
) -> Tensor:
    """Convolve every sample with its mixture of the K experts: see `MixtureKernel` for the formula.

    Args:
        x: `(B, I, *S)` with one, two or three spatial dimensions.
        bank: `(K, O, I/groups, *k)`.
        mixture: `(B, K)`.
        tap_scale: `(B, *k)`, per expert `(B, K, *k)`, or `None`.
        in_scale: `(B, I)`, per expert `(B, K, I)`, or `None`.
        out_scale: `(B, O)`, per expert `(B, K, O)`, or `None`; the bias is not scaled.
        bias_bank: `(K, O)` or `None`; mixed as the kernels are.
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
        >>> x, bank = torch.randn(2, 3, 8, 8), torch.randn(4, 6, 3, 3, 3)
        >>> mixture_conv(x, bank, torch.rand(2, 4), padding=1).shape
        torch.Size([2, 6, 8, 8])
    """
    spec = spec_of(
        x,
        "bank",
        bank,
        1,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    return run(x, MixtureKernel(bank, mixture, tap_scale, in_scale, out_scale, bias_bank), spec, algorithm)
