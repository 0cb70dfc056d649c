"""A convolution with few outputs, such as the scores of gates that all channels share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.native import scores as native
from dynaconv.ops.checks import check_input
from dynaconv.ops.maps import with_bias
from dynaconv.ops.recompute import Tensors, present, recomputed
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["score_conv"]

# What convolves well for many outputs leaves most of a processor idle for so few.
_MOST_OUTPUTS = 8


def score_conv(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int = 1) -> Tensor:
    """The convolution that keeps the map's size: by compiled kernels where they can run and pay.

    Args:
        x: `(B, I, H, W)`.
        weight: `(O, I/groups, k, k)` with k odd.
        bias: `(O,)` or `None`.
        groups: as in `nn.Conv2d`.

    Returns:
        `(B, O, H, W)`.

    Raises:
        ArgumentError: `x` does not fit; ShapeError for its rank and channels.
    """
    outputs, inputs, size = weight.shape[:3]
    spec = ConvSpec.parse(inputs * groups, outputs, size, dims=2, padding=size // 2, groups=groups)
    check_input(x, spec)
    if _can_run(x, weight, groups):
        return with_bias(_score_conv(x, weight, spec, "auto"), bias)
    return static_conv(x, weight, bias, spec)


def _can_run(x: Tensor, weight: Tensor, groups: int) -> bool:
    # A compiler knows a convolution, and fuses what follows.
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.is_autocast_enabled("cpu"):
        return False
    few = groups == 1 and len(weight) <= _MOST_OUTPUTS and weight.dtype == torch.float32
    return few and not native.why_not(x)


class _Compiled:
    """As an operator, see `recompute.Operator`."""

    NAME = "score_conv"
    TENSORS = ("x", "weight")

    def weight_shape(self, tensors: Tensors) -> Sequence[int]:
        """See `recompute.Operator`."""
        return present(tensors)[1].shape

    def forward(self, tensors: Tensors, spec: ConvSpec, algorithm: str) -> Tensor:
        """See `recompute.Operator`."""
        return native.forward(*present(tensors))

    def backward(
        self, gradient: Tensor, tensors: Tensors, spec: ConvSpec, algorithm: str, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """See `recompute.Operator`."""
        found = native.backward(gradient, *present(tensors))
        return [g if w else None for g, w in zip(found, wanted, strict=True)]

    def formula(self, tensors: Tensors, spec: ConvSpec) -> Tensor:
        """See `recompute.Operator`."""
        x, weight = present(tensors)
        return static_conv(x, weight, None, spec)


_score_conv = recomputed(_Compiled())
