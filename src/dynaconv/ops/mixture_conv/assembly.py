"""Mixing experts into kernels, a block at a time, and taking the gradient of the mixed kernels apart again.

Shapes: b samples of a block, K experts, g groups, o of the O/g output channels of a group, R = I/g, T taps. A block of
the bank is `(K, g, o, R, T)`, the kernels mixed from it `(b, g, o, R, T)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.mixture_conv.gradients import MixtureGradients
from dynaconv.ops.mixture_conv.input_scale import InputGradients
from dynaconv.spec import ConvSpec

__all__ = ["KernelBlock", "KernelGradients", "grouped_bank", "mixed"]

_ALL = slice(None)


def grouped_bank(kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """The bank as `(K, g, O/g, R, T)`, a view where it is contiguous."""
    experts, out_channels, in_per_group, *size = kernel.bank.shape
    return kernel.bank.reshape(experts, spec.groups, out_channels // spec.groups, in_per_group, prod(size))


def mixed(kernel: MixtureKernel, bank: Tensor, samples: slice, outputs: slice) -> Tensor:
    """The mixtures of the experts alone, `(b, g, o, R, T)`; `bank` is `grouped_bank(kernel, spec)`."""
    part = bank[:, :, outputs]
    mixture = kernel.mixture[samples]
    return (mixture @ part.flatten(1)).view(mixture.shape[0], *part.shape[1:])


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
    def assemble(cls, kernel: MixtureKernel, bank: Tensor, samples: slice) -> KernelBlock:
        """Mix a block; `bank` is `grouped_bank(kernel, spec)`."""
        plain = mixed(kernel, bank, samples, _ALL)
        scale = kernel.tap_scale
        weight = plain if scale is None else plain * scale[samples].flatten(1)[:, None, None, None]
        return cls(samples, plain, weight)


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
        self._out_groups = (spec.groups, spec.out_channels // spec.groups)

    def add(self, block: KernelBlock, gradient: Tensor) -> None:
        """Add what a block's kernels contribute.

        Args:
            block: the kernels.
            gradient: of `block.weight`, before the output scales, `(b, g, o, R, T)`; overwritten.
        """
        kernel, samples = self._kernel, block.samples
        if kernel.out_scale is not None:
            self.add_out_scale(samples, _ALL, (gradient * block.weight).flatten(3))
            gradient.mul_(kernel.out_scale[samples].unflatten(1, self._out_groups)[..., None, None])
        if kernel.tap_scale is not None:
            self.add_tap_scale(samples, (gradient * block.mixed).flatten(1, 2).unsqueeze(4))
            gradient.mul_(kernel.tap_scale[samples].flatten(1)[:, None, None, None])
        self.add_mixed(samples, _ALL, gradient)

    def add_mixed(self, samples: slice, outputs: slice, gradient: Tensor) -> None:
        """Add what the gradient of the mixtures themselves, `(b, g, o, R, T)` in any shape, gives bank and mixture."""
        part, mixture = self._bank[:, :, outputs], self._kernel.mixture[samples]
        flat = gradient.reshape(mixture.shape[0], part[0].numel())
        total = self.bank.view(self._bank.shape)[:, :, outputs]
        total += (mixture.t() @ flat).view(part.shape)
        self.mixture[samples] += flat @ part.flatten(1).t()

    def add_out_scale(self, samples: slice, outputs: slice, products: Tensor) -> None:
        """Add products `(b, g, o, ...)` of an output's gradient and its value before the scale."""
        if self.out_scale is not None:
            self.out_scale[samples].unflatten(1, self._out_groups)[..., outputs] += products.sum(3)

    def add_tap_scale(self, samples: slice, products: Tensor) -> None:
        """Add products `(b, g, R, T, P)` of a window's gradient and its value before the scale."""
        if self.tap_scale is not None:
            self.tap_scale[samples].flatten(1).add_(products.sum((1, 2, 4)))

    def together(self, to_x: InputGradients) -> MixtureGradients:
        """With those of the input, the gradients of all tensors."""
        return MixtureGradients(to_x.input, self.bank, self.mixture, self.tap_scale, to_x.scale, self.out_scale)
