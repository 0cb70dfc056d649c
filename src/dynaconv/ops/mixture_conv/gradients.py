"""What a backward pass of `mixture_conv` is asked for and gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["MixtureGradients", "Wanted"]


@dataclass(frozen=True)
class Wanted:
    """Which gradients a backward pass is asked for: the input's (and its scale's), the kernel's parts'."""

    input: bool = True
    kernel: bool = True


@dataclass(frozen=True)
class MixtureGradients:
    """A gradient for every tensor of `mixture_conv`, each of that tensor's shape; `None` where there is none."""

    x: Tensor | None
    bank: Tensor | None
    mixture: Tensor | None
    tap_scale: Tensor | None
    in_scale: Tensor | None
    out_scale: Tensor | None
