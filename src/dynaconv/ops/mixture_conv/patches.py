"""`mixture_conv` a few output channels at a time: their kernels, for many samples, stay in cache and meet the windows.

Windows are laid out once as columns; kernels are rows, mixed block by block and multiplied at once. What is as large as
the columns or a block is allocated once a call: fresh pages cost more than the numbers written to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.maps import on_map
from dynaconv.ops.mixture_conv.assembly import KernelGradients, grouped_bank
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.mixture_conv.input_scale import InputGradients, scaled
from dynaconv.ops.patches import from_columns, new_output
from dynaconv.ops.products import grouped_product
from dynaconv.ops.windows import windows
from dynaconv.spec import ConvSpec

__all__ = ["backward", "chunks", "forward", "on_windows"]

# Kernels of a block: 4 MiB of float32, about the second cache of two cores. Columns: 16 MiB.
KERNEL_NUMBERS = 2**20
COLUMN_NUMBERS = 2**22
# More samples share a reading of the bank, more outputs make the products faster; both together have to stay in cache.
BLOCK_SAMPLES = 8


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Convolve; channel scales go on the maps, tap scales on the columns.

    Args:
        x: `(B, I, *S)`, already padded where the padding is not zeros.
        kernel: without bias; scales per sample.
        spec: the geometry.
    """
    y, flat = new_output(x, spec)
    blocks = _Blocks(kernel, spec)
    for samples in chunks(len(x), _column_numbers(x, spec), COLUMN_NUMBERS):
        cols = _tapped(_windows(x, kernel, spec, samples), kernel, samples)
        for part, outputs, rows in blocks.of(samples):
            found = grouped_product(rows, _of(cols, part, samples, spec))
            target = flat[part, :, outputs]
            target.copy_(found.view(target.shape))
    return y if kernel.out_scale is None else y.mul_(on_map(kernel.out_scale, y))


def backward(gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted) -> MixtureGradients:
    """Gradients of the input, of its scale, and of the kernel's parts; kernels are mixed again, block by block."""
    found, to_x = KernelGradients(kernel, spec), InputGradients(x, kernel)
    blocks = _Blocks(kernel, spec)
    # Two sets of columns: half of the samples at a time, since a training step's memory peaks here.
    for samples in chunks(len(x), _column_numbers(x, spec), COLUMN_NUMBERS // 2):
        view = _windows(x, kernel, spec, samples)
        cols = _tapped(view, kernel, samples)
        to_cols = torch.zeros_like(cols)
        before_scale = _by_group(gradient[samples], spec)
        to_output = _by_group(scaled(gradient[samples], kernel.out_scale, samples), spec)
        for part, outputs, rows in blocks.of(samples):
            within = slice(part.start - samples.start, part.stop - samples.start)
            if wanted.input or kernel.tap_scale is not None:
                upstream = to_output[within, :, outputs].flatten(0, 1)
                _of(to_cols, part, samples, spec).baddbmm_(rows.transpose(1, 2), upstream)
            if wanted.kernel:
                upstream = before_scale[within, :, outputs].flatten(0, 1)
                to_rows = torch.bmm(upstream, _of(cols, part, samples, spec).transpose(1, 2), out=rows)
                found.add_mixed(part, outputs, to_rows)
        if wanted.kernel and kernel.tap_scale is not None:
            found.add_tap_scale(samples, torch.mul(to_cols.view(view.shape), view, out=cols.view(view.shape)))
        if wanted.input:
            by_tap = to_cols.view(view.shape)
            if kernel.tap_scale is not None:
                by_tap.mul_(on_windows(kernel.tap_scale[samples], view))
            to_x.add(samples, from_columns(by_tap, x[samples].shape, spec))
    return found.together(to_x)


def chunks(batch: int, numbers: int, most: int) -> Iterator[slice]:
    """As many samples of so many numbers each as have at most `most` together, about as many every time."""
    step = ceil(batch / max(1, ceil(batch * numbers / most)))
    for first in range(0, batch, step):
        yield slice(first, min(first + step, batch))


def _column_numbers(x: Tensor, spec: ConvSpec) -> int:
    return spec.in_channels * spec.taps * prod(spec.output_size(x.shape[2:]))


class _Blocks:
    """The mixed kernels of a few output channels and samples at a time, in memory that the next block uses again."""

    def __init__(self, kernel: MixtureKernel, spec: ConvSpec) -> None:
        self._mixture, self._bank, self._groups = kernel.mixture, grouped_bank(kernel, spec), spec.groups
        self._window = prod(spec.weight_shape[1:])
        outputs, samples = spec.out_channels // spec.groups, min(BLOCK_SAMPLES, kernel.mixture.shape[0])
        blocks = ceil(samples * spec.weight_count / KERNEL_NUMBERS)
        # Products are as fast with the outputs that fill up a register.
        self._outputs = min(outputs, 16 * ceil(outputs / blocks / 16))
        self._memory = kernel.bank.new_empty(samples * spec.groups * self._outputs * self._window)

    def of(self, samples: slice) -> Iterator[tuple[slice, slice, Tensor]]:
        """Samples, output channels in their group, and rows `(b·g, o, n)` that may be written to."""
        for first in range(0, self._bank.shape[2], self._outputs):
            outputs = slice(first, first + self._outputs)
            bank = self._bank[:, :, outputs].flatten(1)
            for start in range(samples.start, samples.stop, BLOCK_SAMPLES):
                part = slice(start, min(start + BLOCK_SAMPLES, samples.stop))
                mixture = self._mixture[part]
                memory = self._memory[: mixture.shape[0] * bank.shape[1]]
                rows = torch.mm(mixture, bank, out=memory.view(mixture.shape[0], -1))
                yield part, outputs, rows.view(mixture.shape[0] * self._groups, -1, self._window)


def _windows(x: Tensor, kernel: MixtureKernel, spec: ConvSpec, samples: slice) -> Tensor:
    """The windows of some samples with the input's scales, `(b, I, *k, *S_out)`, a view that runs along rows."""
    return windows(scaled(x[samples], kernel.in_scale, samples).contiguous(), spec)


def _tapped(view: Tensor, kernel: MixtureKernel, samples: slice) -> Tensor:
    """The windows times the tap scales, laid out: far fewer numbers than the kernels, where the map is small."""
    if kernel.tap_scale is None and view.is_contiguous():
        return view
    laid_out = view.new_empty(view.shape)
    if kernel.tap_scale is None:
        return laid_out.copy_(view)
    return torch.mul(view, on_windows(kernel.tap_scale[samples], view), out=laid_out)


def on_windows(taps: Tensor, view: Tensor) -> Tensor:
    """Tap scales `(b, *k)` in a shape that multiplies windows `(b, I, *k, *S_out)`."""
    return taps.view(taps.shape[0], 1, *taps.shape[1:], *[1] * (view.dim() - 1 - taps.dim()))


def _of(cols: Tensor, part: slice, samples: slice, spec: ConvSpec) -> Tensor:
    """The columns of some of a chunk's samples, `(b·g, n, P)`."""
    some = cols[part.start - samples.start : part.stop - samples.start]
    return some.view(some.shape[0] * spec.groups, prod(spec.weight_shape[1:]), -1)


def _by_group(gradient: Tensor, spec: ConvSpec) -> Tensor:
    """`(b, O, *S_out)` → `(b, g, O/g, P)`."""
    grouped: Tensor = gradient.flatten(2).unflatten(1, (spec.groups, spec.out_channels // spec.groups))
    return grouped
