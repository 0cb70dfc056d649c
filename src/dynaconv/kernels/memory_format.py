"""Moves and casts of modules whose parameters are banks of kernels."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

__all__ = ["kernelwise"]

_BANK_OF_2D_KERNELS = 5


def kernelwise(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`function` of `nn.Module._apply`, with a bank of 2-D kernels `(K, O, I, kH, kW)` taken as K·O kernels.

    `model.to(memory_format=torch.channels_last)` asks every parameter of four or five dimensions for that format, and
    none of five can have it. The bank itself stays contiguous: the operators read it so.
    """

    def apply(tensor: Tensor) -> Tensor:
        if tensor.dim() != _BANK_OF_2D_KERNELS:
            return function(tensor)
        kernels = function(tensor.flatten(0, 1))
        return kernels.reshape(*tensor.shape[:2], *kernels.shape[1:]).contiguous()

    return apply
