"""The definition of `dense_conv`: one plain convolution per sample, in float64. Slow and obviously right."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.kernels import DenseKernel
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["reference"]


def reference(x: Tensor, kernel: DenseKernel, spec: ConvSpec) -> Tensor:
    """`y_b = weight_b * x_b + bias_b`, sample by sample.

    Args:
        x: `(B, I, *S)`.
        kernel: weight `(B, O, I/g, *k)`, bias `(B, O)`, `(O,)` or `None`.
        spec: the geometry.

    Returns:
        `(B, O, *S_out)` in the dtype of `x`.
    """
    outputs = [x.new_zeros(0, spec.out_channels, *spec.output_size(x.shape[2:])).double()]
    for b in range(x.shape[0]):
        y = static_conv(x[b : b + 1].double(), kernel.weight[b].double(), None, spec)
        if kernel.bias is not None:
            bias = kernel.bias if kernel.bias.dim() == 1 else kernel.bias[b]
            y = y + bias.double().reshape(1, -1, *(1 for _ in spec.kernel_size))
        outputs.append(y)
    return torch.cat(outputs).to(x.dtype)
