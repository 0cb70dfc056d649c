"""The definition of `dense_conv`: one plain convolution per sample, in float64. Slow and obviously right."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["reference"]


def reference(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """`y_b = weight_b * x_b`, sample by sample; a bias is added by the caller.

    Args:
        x: `(B, I, *S)`.
        weight: `(B, O, I/g, *k)`.
        spec: the geometry.

    Returns:
        `(B, O, *S_out)` in the dtype of `x`.
    """
    outputs = [x.new_zeros(0, spec.out_channels, *spec.output_size(x.shape[2:])).double()]
    for b in range(x.shape[0]):
        outputs.append(static_conv(x[b : b + 1].double(), weight[b].double(), None, spec))
    return torch.cat(outputs).to(x.dtype)
