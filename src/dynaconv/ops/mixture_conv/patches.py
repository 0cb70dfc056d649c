"""`mixture_conv` a few output channels at a time: their kernels, for many samples, stay in cache and meet the windows.

Windows are laid out once as columns; kernels are rows, mixed block by block and multiplied at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.maps import on_map
from dynaconv.ops.mixture_conv.assembly import KernelBlock, KernelGradients, grouped_bank
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.mixture_conv.input_scale import InputGradients, scaled
from dynaconv.ops.patches import columns, from_columns, new_output
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward"]

# Kernels of a block: 4 MiB of float32, within a core's share of the last cache. Columns: 32 MiB.
KERNEL_NUMBERS = 2**20
COLUMN_NUMBERS = 2**23


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Convolve; channel scales go on the maps.

    Args:
        x: `(B, I, *S)`, already padded where the padding is not zeros.
        kernel: without bias; scales per sample.
        spec: the geometry.
    """
    y, flat = new_output(x, spec)
    for samples in _chunks(x, spec):
        cols = columns(scaled(x[samples], kernel.in_scale, samples), spec)
        for block in _blocks(kernel, spec, samples):
            part = flat[samples, :, block.outputs]
            part.copy_(torch.bmm(_rows(block), cols).view(part.shape))
    return y if kernel.out_scale is None else y.mul_(on_map(kernel.out_scale, y))


def backward(gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted) -> MixtureGradients:
    """Gradients of the input, of its scale, and of the kernel's parts; kernels are mixed again, block by block."""
    found, to_x = KernelGradients(kernel, spec), InputGradients(x, kernel)
    for samples in _chunks(x, spec):
        part = x[samples]
        cols = columns(scaled(part, kernel.in_scale, samples), spec)
        to_columns = torch.zeros_like(cols)
        upstream = _by_group(gradient[samples], spec)
        to_output = _by_group(scaled(gradient[samples], kernel.out_scale, samples), spec)
        for block in _blocks(kernel, spec, samples):
            if wanted.input:
                to_columns.baddbmm_(_rows(block).transpose(1, 2), to_output[:, :, block.outputs].flatten(0, 1))
            if wanted.kernel:
                to_weight = torch.bmm(upstream[:, :, block.outputs].flatten(0, 1), cols.transpose(1, 2))
                found.add(block, to_weight.view(block.weight.shape))
        if wanted.input:
            to_x.add(samples, from_columns(to_columns, part.shape, spec))
    return found.together(to_x)


def _chunks(x: Tensor, spec: ConvSpec) -> Iterator[slice]:
    """As many samples at a time as have small columns together."""
    numbers = spec.in_channels * spec.taps * prod(spec.output_size(x.shape[2:]))
    samples = max(1, COLUMN_NUMBERS // numbers)
    for first in range(0, x.shape[0], samples):
        yield slice(first, first + samples)


def _blocks(kernel: MixtureKernel, spec: ConvSpec, samples: slice) -> Iterator[KernelBlock]:
    """As many output channels at a time as have kernels that stay in cache, for all the samples."""
    bank, mixture = grouped_bank(kernel, spec), kernel.mixture[samples]
    numbers = mixture.shape[0] * spec.groups * prod(spec.weight_shape[1:])
    outputs = max(1, KERNEL_NUMBERS // max(1, numbers))
    for first in range(0, spec.out_channels // spec.groups, outputs):
        yield KernelBlock.assemble(kernel, bank, samples, slice(first, first + outputs))


def _rows(block: KernelBlock) -> Tensor:
    """`(b·g, o, n)`."""
    batch, groups, outputs, *rest = block.weight.shape
    return block.weight.reshape(batch * groups, outputs, prod(rest))


def _by_group(gradient: Tensor, spec: ConvSpec) -> Tensor:
    """`(b, O, *S_out)` → `(b, g, O/g, P)`."""
    grouped: Tensor = gradient.flatten(2).unflatten(1, (spec.groups, spec.out_channels // spec.groups))
    return grouped
