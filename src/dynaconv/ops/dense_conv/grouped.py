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
        # A convolution has at least one group: the sum over no kernels is a zero kernel with every gradient's path.
        nothing = None if kernel.bias is None else kernel.bias.expand(0, -1).sum(0)
        return static_conv(x, kernel.weight.sum(0), nothing, spec)
    bias = None if kernel.bias is None else kernel.bias.expand(batch, -1).flatten()
    side_by_side = x.reshape(1, batch * x.shape[1], *x.shape[2:])
    y = static_conv(side_by_side, kernel.weight.flatten(0, 1), bias, spec, groups=batch * spec.groups)
    return y.reshape(batch, spec.out_channels, *y.shape[2:])
