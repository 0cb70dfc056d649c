"""The grouped formulation that published code uses, in plain autograd: the form every figure is compared with.

It writes one kernel per sample and runs a grouped convolution with groups = batch × groups. Channel scales go onto the
input and the output map, and a single expert without tap scales is an ordinary convolution, as its authors have it.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn

from dynaconv.errors import ArgumentError
from dynaconv.kernels import DenseKernel, Kernel, MixtureKernel, TapwiseKernel
from dynaconv.layers import DynamicConv
from dynaconv.ops.dense_conv.grouped import forward as grouped_conv
from dynaconv.ops.maps import on_map, with_bias
from dynaconv.ops.static_conv import padded, static_conv
from dynaconv.ops.tapwise_conv.operator import OPERATOR as TAPWISE
from dynaconv.spec import ConvSpec

__all__ = ["GroupedForm", "grouped_form", "plain_conv"]


def plain_conv(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
    """`ops.conv` in the published formulation; tap weights per position are laid out as windows.

    Args:
        x: `(B, I, *S)`.
        kernel: of any kind but static.
        spec: the geometry.

    Raises:
        ArgumentError: the kernel is static.
    """
    x, spec = padded(x, spec)
    match kernel:
        case MixtureKernel():
            return with_bias(_mixture(x, kernel, spec), kernel.bias())
        case DenseKernel():
            return with_bias(grouped_conv(x, kernel.weight, spec), kernel.bias)
        case TapwiseKernel():
            return with_bias(TAPWISE.formula((x, kernel.weight, kernel.taps), spec), kernel.bias)
        case _:
            raise ArgumentError("kernel", type(kernel).__name__, "a kernel per sample")


def _mixture(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    if kernel.in_scale is not None:
        x = x * on_map(kernel.in_scale, x)
    if kernel.bank.shape[0] == 1 and kernel.tap_scale is None:
        y = static_conv(x, kernel.bank[0], None, spec) * on_map(kernel.mixture, x)
    else:
        y = grouped_conv(x, _mixed(kernel), spec)
    return y if kernel.out_scale is None else y * on_map(kernel.out_scale, y)


def _mixed(kernel: MixtureKernel) -> Tensor:
    """All samples' kernels, `(B, O, I/g, *k)`.

    Code without scales (CondConv, dynamic convolution) multiplies two matrices. ODConv's multiplies every expert with
    its attentions for every sample, B·K kernels, before it sums over the experts.
    """
    if not any(scale is not None for scale in kernel.scales):
        return kernel.dense()
    batch, experts = kernel.mixture.shape
    taps = kernel.bank.shape[3:]
    share = kernel.mixture.view(batch, experts, 1, 1, *(1 for _ in taps))
    attention = share if kernel.tap_scale is None else kernel.tap_scale.view(batch, 1, 1, 1, *taps) * share
    return (attention * kernel.bank).sum(1)


class GroupedForm(nn.Module):
    """A dynamic convolution run in the published formulation.

    Args:
        layer: the convolution; its parameters are used, not copied.
    """

    def __init__(self, layer: DynamicConv) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, *S)` → `(B, O, *S_out)`."""
        return plain_conv(x, self.layer.kernel(x), self.layer.spec)


def grouped_form(model: nn.Module) -> nn.Module:
    """A copy of `model` that runs every dynamic convolution in the published formulation, on the same parameters."""
    shared = {id(p): p for p in model.parameters()}
    made = copy.deepcopy(model, memo=dict(shared))
    dynamic = [(name, layer) for name, layer in made.named_modules() if isinstance(layer, DynamicConv)]
    for name, layer in dynamic:
        made.set_submodule(name, GroupedForm(layer))
    return made
