"""`mixture_conv` a few samples at a time: mix their kernels, convolve with an algorithm of `dense_conv`, drop them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, prod

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.dense_conv.algorithms import DenseAlgorithm
from dynaconv.ops.maps import on_map
from dynaconv.ops.mixture_conv.assembly import KernelBlock, KernelGradients, grouped_bank, kernel_scale
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.mixture_conv.input_scale import InputGradients, scaled
from dynaconv.ops.patches import new_output
from dynaconv.spec import ConvSpec

__all__ = ["SampleBlocks", "block_samples"]


class SampleBlocks:
    """The forward and the backward pass over blocks of samples.

    Args:
        dense: convolves a block.
        numbers: the kernels of a block, and its maps, have about so many numbers together.
    """

    def __init__(self, dense: DenseAlgorithm, numbers: int) -> None:
        self._dense, self._numbers = dense, numbers

    def forward(self, x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
        """Convolve; where the kernels get tap scales, they get the input's too; other channel scales go on the maps.

        Args:
            x: `(B, I, *S)`, already padded where the padding is not zeros.
            kernel: without bias; scales per sample.
            spec: the geometry.
        """
        y, _ = new_output(x, spec)
        on_maps, on_kernels = kernel.in_scale, None
        if kernel.tap_scale is not None:
            on_maps, on_kernels = None, kernel_scale(kernel.tap_scale, kernel.in_scale, spec)
        for block in self._blocks(x, kernel, spec, on_kernels, keep_mixed=False):
            samples, target = block.samples, y[block.samples]
            part = scaled(x[samples], on_maps, samples)
            found = self._dense.forward(part, block.weight.view(part.shape[0], *spec.weight_shape), spec)
            if kernel.out_scale is None:
                target.copy_(found)
            else:
                torch.mul(found, on_map(kernel.out_scale[samples], found), out=target)
        return y

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted
    ) -> MixtureGradients:
        """Gradients of the input, of its scale, and of the kernel's parts; kernels are mixed again, block by block."""
        found, to_x = KernelGradients(kernel, spec), InputGradients(x, kernel)
        keep_mixed = wanted.kernel and kernel.tap_scale is not None
        on_kernels = None if kernel.tap_scale is None else kernel_scale(kernel.tap_scale, None, spec)
        for block in self._blocks(x, kernel, spec, on_kernels, keep_mixed=keep_mixed):
            samples = block.samples
            part, upstream = scaled(x[samples], kernel.in_scale, samples), gradient[samples]
            if wanted.input:
                weight = block.weight.view(part.shape[0], *spec.weight_shape)
                to_output = scaled(upstream, kernel.out_scale, samples)
                to_x.add(samples, self._dense.input_gradient(to_output, weight, part.shape, spec))
            if wanted.kernel:
                to_weight = self._dense.weight_gradient(upstream, part, spec)
                found.add(block, to_weight.reshape(block.weight.shape))
        return found.together(to_x)

    def _blocks(
        self, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, scale: Tensor | None, *, keep_mixed: bool
    ) -> Iterator[KernelBlock]:
        """The blocks, each in the memory of the one before: fresh pages cost more than the numbers written to them."""
        bank, batch = grouped_bank(kernel, spec), kernel.mixture.shape[0]
        samples = block_samples(batch, spec, x.shape[2:], self._numbers)
        mixed = bank.new_empty(samples, spec.weight_count)
        memory = (mixed, torch.empty_like(mixed) if keep_mixed else mixed)
        for first in range(0, batch, samples):
            block = slice(first, min(first + samples, batch))
            part = None if scale is None else scale[block]
            yield KernelBlock.assemble(kernel.mixture[block], bank, block, part, memory)


def block_samples(batch: int, spec: ConvSpec, size: Sequence[int], numbers: int) -> int:
    """How many samples' kernels, and maps, have at most so many numbers; about as many in every block."""
    maps = spec.in_channels * prod(size) + spec.out_channels * prod(spec.output_size(size))
    return ceil(batch / ceil(batch * max(maps, spec.weight_count) / numbers))
