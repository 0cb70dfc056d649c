"""The field of some samples at a time: features made in the cache, and their gradients led back."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dynaconv.ops.receptive_field.window_blocks import WindowBlocks, affine, cut
from dynaconv.spec import ConvSpec

__all__ = ["FieldBlocks"]


class FieldBlocks:
    """`f_{c,t} = ReLU(w_{c,t} * x_c + b_{c,t})` over blocks of samples.

    Args:
        x: `(B, C, *S)`.
        weight: `(C·T, 1, *k)`.
        shift: b, `(C·T,)`.
        spec: the geometry of the field; zeros as padding.

    Attributes:
        blocks: the windows that the features are made of.
    """

    def __init__(self, x: Tensor, weight: Tensor, shift: Tensor, spec: ConvSpec) -> None:
        self.blocks = WindowBlocks(x, spec)
        self._affine, self._windows = affine(weight, shift, x.shape[1]), x.new_empty(0)
        self._weight = weight
        self._to_pixels: Tensor | None = None
        self._to_affine = torch.zeros_like(self._affine)

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Samples and their features, `(C, T, n)`; the next step overwrites them."""
        channels, taps, _ = self._affine.shape
        buffer = self.blocks.buffer(taps)
        for samples, columns in self.blocks:
            self._windows = columns
            features = cut(buffer, channels, taps, columns.shape[2])
            yield samples, torch.bmm(self._affine, columns, out=features).relu_()

    def lead_back(self, samples: slice, features: Tensor, gradient: Tensor) -> None:
        """Take the gradient of the present block's features, `(C, T, n)`, which is overwritten."""
        torch.ops.aten.threshold_backward(gradient, features, 0, grad_input=gradient)
        self._to_affine.baddbmm_(gradient, self._windows.transpose(1, 2))
        kernels = self._affine[:, :, :-1].transpose(1, 2)
        # The windows have served.
        columns = cut(self._windows.view(-1), self._windows.shape[0], kernels.shape[1], gradient.shape[2])
        if self._to_pixels is None:
            self._to_pixels = self.blocks.no_pixels()
        self.blocks.add(self._to_pixels, samples, torch.bmm(kernels, gradient, out=columns))

    def gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of x, weight and shift, once every block was led back."""
        rows = self._to_affine.flatten(0, 1)
        pixels = self.blocks.no_pixels() if self._to_pixels is None else self._to_pixels
        return self.blocks.unpadded(pixels), rows[:, :-1].reshape(self._weight.shape), rows[:, -1].contiguous()
