"""`mixture_conv` as one matrix product of all experts with the windows of all samples, whose results are mixed.

K times the multiply-adds, but at full speed, and no kernel is mixed: for few experts on small maps. Samples lie side by
side in memory, so that what is each sample's own runs along rows.

Shapes: g groups, o = O/g, n = I/g · T numbers in a window of one group, P output positions, b samples of a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.mixture_conv.assembly import grouped_bank
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.mixture_conv.input_scale import InputGradients, scaled
from dynaconv.ops.mixture_conv.patches import COLUMN_NUMBERS, chunks, on_windows
from dynaconv.ops.patches import new_output
from dynaconv.ops.products import grouped_product
from dynaconv.ops.windows import add_to_padded, inner, windows
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward"]


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Convolve with every expert, then mix; channel scales go on the maps, tap scales on the windows.

    Args:
        x: `(B, I, *S)`, already padded where the padding is not zeros.
        kernel: without bias; scales per sample.
        spec: the geometry.
    """
    y, flat = new_output(x, spec)
    rows = _rows(kernel, spec)
    for samples in _chunks(x, kernel, spec):
        _, tapped = _windows(x, kernel, spec, samples)
        mixture = kernel.mixture[samples]
        by_expert = _by_expert(rows, _columns(tapped, spec), mixture)
        mixed = by_expert[:, 0] * mixture[:, 0]
        for k in range(1, mixture.shape[1]):
            mixed.addcmul_(by_expert[:, k], mixture[:, k])
        if kernel.out_scale is not None:
            mixed *= _by_output(kernel.out_scale[samples], spec)
        flat[samples] = mixed.movedim(-1, 0)
    return y


def backward(gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted) -> MixtureGradients:
    """Gradients of the input, of its scale, and of the kernel's parts."""
    rows, to_x, found = _rows(kernel, spec), InputGradients(x, kernel), _KernelGradients(kernel, spec)
    for samples in _chunks(x, kernel, spec):
        view, tapped = _windows(x, kernel, spec, samples)
        upstream = _samples_last(gradient[samples], spec)
        by_expert = upstream.unsqueeze(1) * found.shares(samples)
        by_expert = by_expert.reshape(*rows.shape[:2], -1)
        # What is large comes and goes before the bank's gradient, which stays.
        if wanted.input or kernel.tap_scale is not None:
            to_windows = torch.empty_like(tapped).copy_(_as_windows(grouped_product(by_expert.mT, rows), tapped, spec))
            found.add_tap_scale(samples, to_windows, view)
            if kernel.tap_scale is not None:
                to_windows.mul_(on_windows(kernel.tap_scale[samples], view))
            if wanted.input:
                to_x.add(samples, _lead_back(to_windows, x, spec))
            del to_windows
        if wanted.kernel:
            columns = _columns(tapped, spec)
            found.add_shares(samples, upstream, _by_expert(rows, columns, kernel.mixture[samples]))
            found.add_rows(grouped_product(by_expert, columns.mT))
    return found.together(to_x, wanted)


class _KernelGradients:
    """Gradients of the bank and its coefficients, gathered chunk by chunk in at least float32."""

    def __init__(self, kernel: MixtureKernel, spec: ConvSpec) -> None:
        self._kernel, self._spec = kernel, spec
        self._dtype = torch.promote_types(kernel.bank.dtype, torch.float32)
        self._rows: Tensor | None = None
        coefficients = (kernel.mixture, kernel.tap_scale, kernel.out_scale)
        self._mixture, self._taps, self._out = (
            None if t is None else torch.zeros_like(t, dtype=self._dtype) for t in coefficients
        )

    def shares(self, samples: slice) -> Tensor:
        """What an expert's output counts in each output, `(g, K, o or 1, 1, b)`."""
        mixture = self._kernel.mixture[samples].t()[:, None, None]
        scale = self._kernel.out_scale
        return mixture.unsqueeze(0) if scale is None else mixture * _by_output(scale[samples], self._spec).unsqueeze(1)

    def add_rows(self, gradient: Tensor) -> None:
        """Add to the bank's, `(g, K·o, n)`."""
        gradient = gradient.to(self._dtype)
        self._rows = gradient if self._rows is None else self._rows.add_(gradient)

    def add_shares(self, samples: slice, upstream: Tensor, by_expert: Tensor) -> None:
        """Add what the output's gradient `(g, o, P, b)` has in common with every expert's output `(g, K, o, P, b)`."""
        common = (by_expert * upstream.unsqueeze(1)).sum(3, dtype=self._dtype)
        out = self._kernel.out_scale
        if self._out is not None and out is not None:
            mixture = self._kernel.mixture[samples].t().unsqueeze(1)
            self._out[samples] = (common * mixture).sum(1).flatten(0, 1).t()
            common = common * _by_output(out[samples], self._spec).squeeze(2).unsqueeze(1)
        if self._mixture is not None:
            self._mixture[samples] = common.sum((0, 2)).t()

    def add_tap_scale(self, samples: slice, to_windows: Tensor, view: Tensor) -> None:
        """Add products of the windows' gradients and their values before the scale, both `(b, I, *k, *S_out)`."""
        if self._taps is not None:
            dims = (1, *range(2 + self._spec.dims, 2 + 2 * self._spec.dims))
            self._taps[samples] = (to_windows * view).sum(dims, dtype=self._dtype)

    def together(self, to_x: InputGradients, wanted: Wanted) -> MixtureGradients:
        """With those of the input, the gradients of all tensors."""
        bank = self._kernel.bank
        if not wanted.kernel or self._rows is None:
            return MixtureGradients(to_x.input, None, None, None, to_x.scale, None)
        to_bank = self._rows.unflatten(1, (bank.shape[0], -1)).transpose(0, 1).reshape(bank.shape)
        return MixtureGradients(to_x.input, to_bank, self._mixture, self._taps, to_x.scale, self._out)


def _chunks(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Iterator[slice]:
    """Samples that share a product: their windows, and every expert's output, are of bounded size."""
    numbers = max(spec.in_channels * spec.taps, kernel.mixture.shape[1] * spec.out_channels)
    return chunks(len(x), numbers * prod(spec.output_size(x.shape[2:])), COLUMN_NUMBERS)


def _rows(kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """The bank as `(g, K·o, n)`, a view for one group."""
    rows: Tensor = grouped_bank(kernel, spec).flatten(3).transpose(0, 1).flatten(1, 2)
    return rows


def _by_output(scale: Tensor, spec: ConvSpec) -> Tensor:
    """Output scales `(b, O)` as `(g, o, 1, b)`."""
    return scale.t().reshape(spec.groups, -1, 1, scale.shape[0])


def _samples_last(maps: Tensor, spec: ConvSpec) -> Tensor:
    """`(b, O, *S_out)` laid out as `(g, o, P, b)`."""
    laid_out: Tensor = maps.flatten(2).movedim(0, -1).contiguous().unflatten(0, (spec.groups, -1))
    return laid_out


def _padded_size(x: Tensor, spec: ConvSpec) -> list[int]:
    return [n + before + after for n, (before, after) in zip(x.shape[2:], spec.pads, strict=True)]


def _windows(x: Tensor, kernel: MixtureKernel, spec: ConvSpec, samples: slice) -> tuple[Tensor, Tensor]:
    """Windows of some samples with the input's scales, and those times the tap scales, both `(b, I, *k, *S_out)`.

    The second is laid out, samples innermost; the first is a view.
    """
    part = scaled(x[samples], kernel.in_scale, samples)
    padded = x.new_zeros(x.shape[1], *_padded_size(x, spec), len(part)).movedim(-1, 0)
    inner(padded, x.shape[2:], spec).copy_(part)
    view = windows(padded, spec.unpadded())
    laid_out = x.new_empty((*view.shape[1:], len(part))).movedim(-1, 0)
    if kernel.tap_scale is None:
        return view, laid_out.copy_(view)
    return view, torch.mul(view, on_windows(kernel.tap_scale[samples], view), out=laid_out)


def _columns(tapped: Tensor, spec: ConvSpec) -> Tensor:
    """Windows as they are laid out, `(g, n, P·b)`."""
    numbers = spec.in_channels // spec.groups * spec.taps
    return tapped.movedim(0, -1).view(spec.groups, numbers, -1)


def _as_windows(columns: Tensor, like: Tensor, spec: ConvSpec) -> Tensor:
    """Columns `(g, P·b, n)` as windows `(b, I, *k, *S_out)`."""
    batch, channels, *rest = like.shape
    taps, out_size = rest[: spec.dims], rest[spec.dims :]
    held = columns.view(spec.groups, *out_size, batch, channels // spec.groups, *taps)
    first = 2 + spec.dims
    order = (first - 1, 0, *range(first, first + 1 + spec.dims), *range(1, 1 + spec.dims))
    return held.permute(order).reshape(like.shape)


def _by_expert(rows: Tensor, columns: Tensor, mixture: Tensor) -> Tensor:
    """Every expert's output, `(g, K, o, P, b)`, for the mixture `(b, K)`."""
    batch, experts = mixture.shape
    found = grouped_product(rows, columns)
    return found.view(len(rows), experts, rows.shape[1] // experts, -1, batch)


def _lead_back(to_windows: Tensor, x: Tensor, spec: ConvSpec) -> Tensor:
    """Gradients of windows `(b, I, *k, *S_out)`, samples innermost, added up on the map: `(b, I, *S)`."""
    batch = to_windows.shape[0]
    total = to_windows.new_zeros(x.shape[1], *_padded_size(x, spec), batch).movedim(-1, 0)
    add_to_padded(total, to_windows, spec)
    return inner(total, x.shape[2:], spec)
