"""`mixture_conv` a few samples at a time: mix their kernels, convolve with an algorithm of `dense_conv`, drop them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.dense_conv.algorithms import DenseAlgorithm
from dynaconv.ops.mixture_conv.assembly import KernelBlock, KernelGradients, grouped_bank
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.mixture_conv.input_scale import InputGradients, scaled
from dynaconv.ops.patches import new_output
from dynaconv.spec import ConvSpec

__all__ = ["SampleBlocks"]


class SampleBlocks:
    """The forward and the backward pass over blocks of samples.

    Args:
        dense: convolves a block.
        kernel_numbers: a block holds kernels of about so many numbers together; `None` is one block of all samples.
    """

    def __init__(self, dense: DenseAlgorithm, kernel_numbers: int | None) -> None:
        self._dense, self._kernel_numbers = dense, kernel_numbers

    def forward(self, x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
        """Convolve; channel scales go on the maps.

        Args:
            x: `(B, I, *S)`, already padded where the padding is not zeros.
            kernel: without bias; scales per sample.
            spec: the geometry.
        """
        y, _ = new_output(x, spec)
        for block in self._blocks(kernel, spec, keep_mixed=False):
            part = scaled(x[block.samples], kernel.in_scale, block.samples)
            found = self._dense.forward(part, block.weight.view(part.shape[0], *spec.weight_shape), spec)
            y[block.samples] = scaled(found, kernel.out_scale, block.samples)
        return y

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted
    ) -> MixtureGradients:
        """Gradients of the input, of its scale, and of the kernel's parts; kernels are mixed again, block by block."""
        found, to_x = KernelGradients(kernel, spec), InputGradients(x, kernel)
        for block in self._blocks(kernel, spec, keep_mixed=wanted.kernel and kernel.tap_scale is not None):
            samples = block.samples
            part, upstream = scaled(x[samples], kernel.in_scale, samples), gradient[samples]
            if wanted.kernel:
                to_weight = self._dense.weight_gradient(upstream, part, spec)
                found.add(block, to_weight.reshape(block.weight.shape))
            if wanted.input:
                weight = block.weight.view(part.shape[0], *spec.weight_shape)
                to_output = scaled(upstream, kernel.out_scale, samples)
                to_x.add(samples, self._dense.input_gradient(to_output, weight, part.shape, spec))
        return found.together(to_x)

    def _blocks(self, kernel: MixtureKernel, spec: ConvSpec, keep_mixed: bool) -> Iterator[KernelBlock]:
        """The blocks, each in the memory of the one before: fresh pages cost more than the numbers written to them."""
        bank, batch = grouped_bank(kernel, spec), kernel.mixture.shape[0]
        most = batch if self._kernel_numbers is None else self._kernel_numbers // spec.weight_count
        samples = max(1, min(most, batch))
        mixed = bank.new_empty(samples, spec.weight_count)
        memory = (mixed, torch.empty_like(mixed) if keep_mixed else mixed)
        for first in range(0, batch, samples):
            yield KernelBlock.assemble(kernel, bank, slice(first, min(first + samples, batch)), memory)
