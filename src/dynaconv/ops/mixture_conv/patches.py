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
from dynaconv.ops.mixture_conv.assembly import KernelGradients, grouped_bank, mixed
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.mixture_conv.input_scale import InputGradients, scaled
from dynaconv.ops.patches import columns, from_columns, new_output
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward"]

# Kernels of a block: 4 MiB of float32, within a core's share of the last cache. Columns: 32 MiB.
KERNEL_NUMBERS = 2**20
COLUMN_NUMBERS = 2**23


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Convolve; channel scales go on the maps, tap scales on the columns.

    Args:
        x: `(B, I, *S)`, already padded where the padding is not zeros.
        kernel: without bias; scales per sample.
        spec: the geometry.
    """
    y, flat = new_output(x, spec)
    for samples in _chunks(x, spec):
        cols = columns(scaled(x[samples], kernel.in_scale, samples), spec)
        cols = _tapped(cols, kernel, spec, samples)
        for outputs, rows in _blocks(kernel, spec, samples):
            part = flat[samples, :, outputs]
            part.copy_(torch.bmm(rows, cols).view(part.shape))
    return y if kernel.out_scale is None else y.mul_(on_map(kernel.out_scale, y))


def backward(gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted) -> MixtureGradients:
    """Gradients of the input, of its scale, and of the kernel's parts; kernels are mixed again, block by block."""
    found, to_x = KernelGradients(kernel, spec), InputGradients(x, kernel)
    for samples in _chunks(x, spec):
        part = x[samples]
        cols = columns(scaled(part, kernel.in_scale, samples), spec)
        tapped = _tapped(cols, kernel, spec, samples)
        to_tapped = torch.zeros_like(cols)
        before_scale = _by_group(gradient[samples], spec)
        to_output = _by_group(scaled(gradient[samples], kernel.out_scale, samples), spec)
        for outputs, rows in _blocks(kernel, spec, samples):
            upstream = to_output[:, :, outputs].flatten(0, 1)
            if wanted.input or kernel.tap_scale is not None:
                to_tapped.baddbmm_(rows.transpose(1, 2), upstream)
            if wanted.kernel:
                found.add_mixed(samples, outputs, torch.bmm(upstream, tapped.transpose(1, 2)))
            if wanted.kernel and kernel.out_scale is not None:
                y = torch.bmm(rows, tapped)
                found.add_out_scale(
                    samples, outputs, before_scale[:, :, outputs] * y.view_as(before_scale[:, :, outputs])
                )
        if wanted.kernel and kernel.tap_scale is not None:
            found.add_tap_scale(samples, _by_tap(to_tapped * cols, spec))
        if wanted.input:
            to_x.add(samples, from_columns(_tapped(to_tapped, kernel, spec, samples), part.shape, spec))
    return found.together(to_x)


def _by_tap(cols: Tensor, spec: ConvSpec) -> Tensor:
    """`(b·g, n, P)` → `(b, g, I/g, T, P)`, a view."""
    by_tap: Tensor = cols.unflatten(1, (-1, spec.taps)).unflatten(0, (-1, spec.groups))
    return by_tap


def _tapped(cols: Tensor, kernel: MixtureKernel, spec: ConvSpec, samples: slice) -> Tensor:
    """The columns times the tap scales: far fewer numbers than the kernels, where the map is small."""
    if kernel.tap_scale is None:
        return cols
    taps = kernel.tap_scale[samples].flatten(1)[:, None, None, :, None]
    return (_by_tap(cols, spec) * taps).flatten(2, 3).flatten(0, 1)


def _chunks(x: Tensor, spec: ConvSpec) -> Iterator[slice]:
    """As many samples at a time as have small columns together."""
    numbers = spec.in_channels * spec.taps * prod(spec.output_size(x.shape[2:]))
    samples = max(1, COLUMN_NUMBERS // numbers)
    for first in range(0, x.shape[0], samples):
        yield slice(first, first + samples)


def _blocks(kernel: MixtureKernel, spec: ConvSpec, samples: slice) -> Iterator[tuple[slice, Tensor]]:
    """As many output channels at a time as have kernels that stay in cache, for all the samples: `(b·g, o, n)`."""
    bank, batch = grouped_bank(kernel, spec), kernel.mixture[samples].shape[0]
    numbers = batch * spec.groups * prod(spec.weight_shape[1:])
    step = max(1, KERNEL_NUMBERS // max(1, numbers))
    for first in range(0, spec.out_channels // spec.groups, step):
        outputs = slice(first, first + step)
        yield outputs, mixed(kernel, bank, samples, outputs).flatten(3).flatten(0, 1)


def _by_group(gradient: Tensor, spec: ConvSpec) -> Tensor:
    """`(b, O, *S_out)` → `(b, g, O/g, P)`."""
    grouped: Tensor = gradient.flatten(2).unflatten(1, (spec.groups, spec.out_channels // spec.groups))
    return grouped
