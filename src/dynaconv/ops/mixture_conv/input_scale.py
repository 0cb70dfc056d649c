"""Channel scales on maps, and the input's gradients gathered sample by sample."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.maps import on_map

__all__ = ["InputGradients", "scaled"]


def scaled(maps: Tensor, scale: Tensor | None, samples: slice) -> Tensor:
    """The maps of some samples times their channel scales, if there are any: `(b, C, *S)` with `scale (B, C)`."""
    return maps if scale is None else maps * on_map(scale[samples], maps)


class InputGradients:
    """Gradients of the input and of its scale.

    Attributes:
        input: `(B, I, *S)`, or `None` before the first block.
        scale: `(B, I)` or `None`.
    """

    def __init__(self, x: Tensor, kernel: MixtureKernel) -> None:
        self._x, self._in_scale = x, kernel.in_scale
        self.input: Tensor | None = None
        self.scale: Tensor | None = None

    def add(self, samples: slice, gradient: Tensor) -> None:
        """Take in the gradient of the scaled input of some samples, `(b, I, *S)`; overwritten."""
        if self.input is None:
            self.input = torch.zeros_like(self._x)
        if self._in_scale is not None:
            if self.scale is None:
                self.scale = torch.zeros_like(self._in_scale)
            self.scale[samples] = (gradient * self._x[samples]).flatten(2).sum(2)
            gradient = gradient.mul_(on_map(self._in_scale[samples], gradient))
        self.input[samples] = gradient
