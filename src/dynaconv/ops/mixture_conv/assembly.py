"""Mixing experts into kernels, a block at a time, and taking the gradient of the mixed kernels apart again.

Shapes: b samples of a block, K experts, g groups, o of the O/g output channels of a group, R = I/g, T taps. A block of
the bank is `(K, g, o, R, T)`, the kernels mixed from it `(b, g, o, R, T)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.mixture_conv.gradients import MixtureGradients
from dynaconv.ops.mixture_conv.input_scale import InputGradients
from dynaconv.spec import ConvSpec

__all__ = ["KernelBlock", "KernelGradients", "grouped_bank", "kernel_scale"]

_ALL = slice(None)


def grouped_bank(kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """The bank as `(K, g, O/g, R, T)`, a view where it is contiguous."""
    experts, out_channels, in_per_group, *size = kernel.bank.shape
    return kernel.bank.reshape(experts, spec.groups, out_channels // spec.groups, in_per_group, prod(size))


def kernel_scale(taps: Tensor, channels: Tensor | None, spec: ConvSpec) -> Tensor:
    """Tap scales `(B, *k)`, and perhaps input channels' `(B, I)`, as they meet kernels: `(B, g, 1, R, T)`.

    Written out, so that a multiplication runs along whole rows of kernels.
    """
    by_tap = taps.flatten(1)[:, None, None, None]
    shape = (len(taps), spec.groups, 1, spec.in_channels // spec.groups, 1)
    by_channel = taps.new_ones(1).expand(shape) if channels is None else channels.view(shape)
    return by_tap * by_channel


@dataclass(frozen=True)
class KernelBlock:
    """The kernels of some samples.

    Attributes:
        samples: which samples.
        mixed: the mixture of the experts alone, `(b, g, o, R, T)`.
        weight: the same with the tap scales.
    """

    samples: slice
    mixed: Tensor
    weight: Tensor

    @classmethod
    def assemble(
        cls, mixture: Tensor, bank: Tensor, samples: slice, scale: Tensor | None, memory: Sequence[Tensor]
    ) -> KernelBlock:
        """Mix a block.

        Args:
            mixture: `(b, K)`.
            bank: `grouped_bank(kernel, spec)`.
            samples: which samples.
            scale: `(b, g, 1, R, T)`, or `None`.
            memory: where `mixed` and `weight` go, two tensors `(b or more, W)`; where both are one, `mixed` is lost.
        """
        plain, scaled = (rows[: mixture.shape[0]] for rows in memory)
        shape = (mixture.shape[0], *bank.shape[1:])
        mixed = torch.mm(mixture, bank.flatten(1), out=plain).view(shape)
        return cls(samples, mixed, mixed if scale is None else torch.mul(mixed, scale, out=scaled.view(shape)))


class KernelGradients:
    """Gradients of the bank and its coefficients, gathered block by block in at least float32.

    Attributes:
        bank: `(K, O, I/g, *k)`.
        mixture: `(B, K)`.
        tap_scale: `(B, *k)` or `None`.
        out_scale: `(B, O)` or `None`.
    """

    def __init__(self, kernel: MixtureKernel, spec: ConvSpec) -> None:
        dtype = torch.promote_types(kernel.bank.dtype, torch.float32)
        self._kernel, self._bank = kernel, grouped_bank(kernel, spec)
        self.bank = torch.zeros_like(kernel.bank, dtype=dtype, memory_format=torch.contiguous_format)
        self.mixture = torch.zeros_like(kernel.mixture, dtype=dtype)
        self.tap_scale = None if kernel.tap_scale is None else torch.zeros_like(kernel.tap_scale, dtype=dtype)
        self.out_scale = None if kernel.out_scale is None else torch.zeros_like(kernel.out_scale, dtype=dtype)
        self._spec, self._out_groups = spec, (spec.groups, spec.out_channels // spec.groups)

    def add(self, block: KernelBlock, gradient: Tensor) -> None:
        """Add what a block's kernels contribute.

        Args:
            block: the kernels; `block.mixed` is overwritten.
            gradient: of `block.weight`, before the output scales, `(b, g, o, R, T)`; overwritten.
        """
        scale, samples = self._kernel.tap_scale, block.samples
        if self.tap_scale is not None and scale is not None:
            products, out_scale = block.mixed.mul_(gradient).flatten(3), self._kernel.out_scale
            share = products.new_ones(()) if out_scale is None else out_scale[samples].unflatten(1, self._out_groups)
            by_window = share.expand(products.shape[:3]).flatten(0, 1).unsqueeze(1) @ products.flatten(0, 1)
            self.tap_scale[samples].flatten(1).add_(by_window.view(len(products), -1, gradient.shape[-1]).sum(1))
            gradient.mul_(kernel_scale(scale[samples], None, self._spec))
        self.add_mixed(samples, _ALL, gradient.flatten(3).flatten(0, 1))

    def add_mixed(self, samples: slice, outputs: slice, gradient: Tensor) -> None:
        """Add what the mixtures' gradient before output scales, `(b·g, o, n)`, gives bank, mixture and that scale."""
        mixture, out_scale = self._kernel.mixture[samples], self._kernel.out_scale
        part = self._bank[:, :, outputs].flatten(3)
        experts, _, _, window = part.shape
        rows = gradient.view(mixture.shape[0], -1, window).transpose(0, 1)
        # What every expert has in common with the gradient, output by output: (g·o, b, K).
        shared = torch.bmm(rows, part.reshape(experts, -1, window).permute(1, 2, 0))
        share = mixture.expand(rows.shape[0], -1, -1)
        if self.out_scale is not None and out_scale is not None:
            by_group = self.out_scale[samples].unflatten(1, self._out_groups)[..., outputs]
            by_group += (shared * mixture).sum(2).t().view_as(by_group)
            scale = out_scale[samples].unflatten(1, self._out_groups)[..., outputs].flatten(1).t().unsqueeze(2)
            share, shared = share * scale, shared * scale
        self.mixture[samples] += shared.sum(0)
        total = self.bank.view(self._bank.shape)[:, :, outputs].flatten(3)
        total += torch.bmm(share.transpose(1, 2), rows).transpose(0, 1).reshape(total.shape)

    def add_tap_scale(self, samples: slice, products: Tensor) -> None:
        """Add products `(b, I, *k, *S_out)` of a window's gradient and its value before the scale."""
        if self.tap_scale is not None:
            self.tap_scale[samples] += products.flatten(1 + self.tap_scale.dim()).sum((1, -1))

    def together(self, to_x: InputGradients) -> MixtureGradients:
        """With those of the input, the gradients of all tensors."""
        return MixtureGradients(to_x.input, self.bank, self.mixture, self.tap_scale, to_x.scale, self.out_scale)
