"""`dense_conv` as one grouped convolution: every sample is a group of channels of a single large sample."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import DenseKernel
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

__all__ = ["grouped"]


def grouped(x: Tensor, kernel: DenseKernel, spec: ConvSpec) -> Tensor:
    """One convolution with B·g groups; see `reference` for arguments and result."""
    batch = x.shape[0]
    if batch == 0:
        # No group count is 0: the sum over no kernels is a zero kernel that keeps every gradient's path.
        return static_conv(x, kernel.weight.sum(0), None, spec)
    bias = kernel.bias
    if bias is not None:
        bias = bias.expand(batch, -1).flatten()
    side_by_side = x.reshape(1, batch * x.shape[1], *x.shape[2:])
    y = static_conv(side_by_side, kernel.weight.flatten(0, 1), bias, spec, groups=batch * spec.groups)
    return y.reshape(batch, spec.out_channels, *y.shape[2:])
