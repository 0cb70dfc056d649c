"""`fourier_conv` a few samples at a time: make their kernels, convolve with an algorithm of `dense_conv`, drop them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.ops.dense_conv.algorithms import DenseAlgorithm
from dynaconv.ops.fourier_conv.generation import KernelMaker
from dynaconv.ops.fourier_conv.gradients import KernelGradients
from dynaconv.ops.patches import new_output
from dynaconv.spec import ConvSpec

__all__ = ["SampleBlocks"]

# 2 MiB of float32: kernels, what they are made of and their gradient stay in the last cache.
BLOCK_NUMBERS = 2**19


class SampleBlocks:
    """The forward and the backward pass over blocks of samples.

    Args:
        dense: convolves a block.
    """

    def __init__(self, dense: DenseAlgorithm) -> None:
        self._dense = dense

    def forward(self, x: Tensor, kernel: FourierKernel, spec: ConvSpec) -> Tensor:
        """`x: (B, I, H, W)`, padded already where the padding is not zeros → `(B, O, *S_out)`, without the bias."""
        y, _ = new_output(x, spec)
        maker = KernelMaker(kernel, _samples(x, spec), x.dtype)
        for samples in _blocks(x, spec):
            y[samples] = self._dense.forward(x[samples], maker.weights(samples), spec)
        return y

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: FourierKernel, spec: ConvSpec, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of all tensors; kernels are made again."""
        to_x = torch.empty_like(x)
        found = KernelGradients(KernelMaker(kernel, _samples(x, spec), x.dtype), _samples(x, spec))
        for samples in _blocks(x, spec):
            upstream, maps, weight = gradient[samples], x[samples], found.weights(samples)
            if wanted[0]:
                to_x[samples] = self._dense.input_gradient(upstream, weight, maps.shape, spec)
            if any(wanted[1:]):
                found.add(samples, self._dense.weight_gradient(upstream, maps, spec))
        return [to_x, *found.together(), None]


def _samples(x: Tensor, spec: ConvSpec) -> int:
    """How many samples a block has."""
    return min(x.shape[0], max(1, BLOCK_NUMBERS // spec.weight_count))


def _blocks(x: Tensor, spec: ConvSpec) -> Iterator[slice]:
    size = _samples(x, spec)
    for first in range(0, x.shape[0], size):
        yield slice(first, min(first + size, x.shape[0]))
