"""`fourier_conv` by compiled kernels, which make a kernel where they convolve with it; else a few samples at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.native import dense, fourier
from dynaconv.ops.fourier_conv.sample_blocks import SampleBlocks
from dynaconv.ops.scratch import scratch
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward"]

# Where only the convolution can be compiled, not the transforms.
_IN_BLOCKS = SampleBlocks(dense)


def forward(x: Tensor, kernel: FourierKernel, spec: ConvSpec) -> Tensor:
    """As `SampleBlocks.forward`."""
    if _left_out(x, kernel, spec):
        return _IN_BLOCKS.forward(x, kernel, spec)
    return fourier.forward(x, kernel, spec, _buffers(kernel))


def backward(
    gradient: Tensor, x: Tensor, kernel: FourierKernel, spec: ConvSpec, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """As `SampleBlocks.backward`."""
    if _left_out(x, kernel, spec):
        return _IN_BLOCKS.backward(gradient, x, kernel, spec, wanted)
    buffers = _buffers(kernel)
    tiles = scratch("fourier tile gradient", tuple(buffers.tiles.shape), buffers.tiles).zero_()
    to_x, *parts = fourier.backward(gradient, x, kernel, spec, buffers, tiles)
    # Runs, order and bias have none.
    return [to_x, fourier.untile(kernel, tiles), None, None, *parts, None]


def _left_out(x: Tensor, kernel: FourierKernel, spec: ConvSpec) -> bool:
    return not len(x) or x.dtype != torch.float32 or bool(fourier.why_not(kernel, spec))


def _buffers(kernel: FourierKernel) -> fourier.Buffers:
    sizes, integers = fourier.sizes_of(kernel), torch.empty(0, dtype=torch.int16)
    found = fourier.Buffers(
        scratch("fourier tiles", (sizes.tiles,), kernel.spectrum),
        scratch("fourier runs", (sizes.runs,), integers),
        scratch("fourier half", (sizes.half,), kernel.spectrum),
    )
    fourier.tile(kernel, found)
    return found
