"""`dense_conv` sample by sample: no larger convolution than the static one, and no copy of the maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynaconv.ops.patches import new_output
from dynaconv.ops.static_conv import static_conv, static_input_gradient, static_weight_gradient
from dynaconv.spec import ConvSpec

__all__ = ["forward", "input_gradient", "weight_gradient"]


def forward(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """B convolutions: `x (B, I, *S)`, `weight (B, O, I/g, *k)` → `(B, O, *S_out)`."""
    y, _ = new_output(x, spec)
    for b in range(x.shape[0]):
        y[b : b + 1] = static_conv(x[b : b + 1], weight[b], None, spec)
    return y


def input_gradient(gradient: Tensor, weight: Tensor, size: Sequence[int], spec: ConvSpec) -> Tensor:
    """The gradient of `x`, `(B, I, *S)`, from `gradient (B, O, *S_out)`."""
    found = gradient.new_empty(*size)
    for b in range(gradient.shape[0]):
        found[b : b + 1] = static_input_gradient(gradient[b : b + 1], weight[b], (1, *size[1:]), spec)
    return found


def weight_gradient(gradient: Tensor, x: Tensor, spec: ConvSpec) -> Tensor:
    """The gradient of the weight, `(B, O, I/g, *k)`, from `gradient (B, O, *S_out)`."""
    shape, samples = spec.weight_shape, range(x.shape[0])
    return torch.stack([static_weight_gradient(gradient[b : b + 1], x[b : b + 1], shape, spec) for b in samples])
