"""`mixture_conv`: a convolution whose kernel each sample mixes from a bank of experts."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.exported import is_exporting
from dynaconv.ops.geometry import spec_of
from dynaconv.ops.maps import with_bias
from dynaconv.ops.mixture_conv import exported
from dynaconv.ops.mixture_conv.algorithms import REGISTRY
from dynaconv.ops.mixture_conv.operator import OPERATOR
from dynaconv.ops.precision import autocast
from dynaconv.ops.recompute import recomputed
from dynaconv.ops.static_conv import padded
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["mixture_conv", "run"]

_mixture_conv = recomputed(OPERATOR)


def run(x: Tensor, kernel: MixtureKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """Check, choose an algorithm, run it."""
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    REGISTRY.check_name(algorithm)
    kernel = MixtureKernel(**{name: autocast(tensor, x) for name, tensor in vars(kernel).items()})
    if is_exporting(algorithm):
        return with_bias(exported.forward(autocast(x, x), kernel, spec), kernel.bias())
    x, spec = padded(autocast(x, x), spec)
    terms = _by_expert(kernel) if kernel.per_expert() else [kernel]
    outputs = [_run_shared(x, term, spec, algorithm) for term in terms]
    return with_bias(sum(outputs[1:], start=outputs[0]), kernel.bias())


def _run_shared(x: Tensor, kernel: MixtureKernel, spec: ConvSpec, algorithm: str) -> Tensor:
    """Run a kernel whose scales all experts share, without its bias."""
    name = REGISTRY.differentiable(algorithm, OPERATOR.problem(x, kernel, spec=spec))
    if name is not None:
        y: Tensor = REGISTRY.algorithms[name].forward(x, kernel, spec)
        return y
    return _mixture_conv(x, kernel.bank, kernel.mixture, *kernel.scales, spec, algorithm)


def _by_expert(kernel: MixtureKernel) -> list[MixtureKernel]:
    """A kernel with scales per expert as a sum of kernels of one expert each."""
    own = kernel.per_expert()

    def part(name: str, k: int) -> Tensor | None:
        scale: Tensor | None = getattr(kernel, name)
        return scale[:, k] if scale is not None and name in own else scale

    return [
        MixtureKernel(
            kernel.bank[k : k + 1], kernel.mixture[:, k : k + 1], *(part(name, k) for name in MixtureKernel.SCALES)
        )
        for k in range(kernel.bank.shape[0])
    ]


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
        algorithm: `"auto"`, or one by name: `"native"`, `"static"`, `"per_sample"`, `"patches"`, `"grouped"`,
            `"expert_output"`, `"expert_input"`, `"reference"`.

    Returns:
        `(B, O, *S_out)`.

    Raises:
        ArgumentError: an argument is not allowed, or a tensor's shape does not fit (ShapeError).
        AlgorithmError: the algorithm asked for cannot run this problem.

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
