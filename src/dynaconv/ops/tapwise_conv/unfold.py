"""`tapwise_conv` as one convolution of kernel size 1 over the windows, weighted and laid side by side as channels."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import TapwiseKernel
from dynaconv.ops.static_conv import pad, static_conv
from dynaconv.spec import ConvSpec

__all__ = ["unfold"]


def unfold(x: Tensor, kernel: TapwiseKernel, spec: ConvSpec) -> Tensor:
    """Needs T times the input's memory; see `reference` for arguments and result."""
    batch, tap_groups, taps, *out_size = kernel.taps.shape
    windows = _windows(x, spec).reshape(batch, tap_groups, spec.in_channels // tap_groups, taps, *out_size)
    weighted = windows * kernel.taps.unsqueeze(2)
    point = ConvSpec.parse(spec.in_channels * taps, spec.out_channels, 1, dims=spec.dims, groups=spec.groups)
    weight = kernel.weight.flatten(1).reshape(*kernel.weight.flatten(1).shape, *(1 for _ in out_size))
    return static_conv(weighted.reshape(batch, spec.in_channels * taps, *out_size), weight, kernel.bias, point)


def _windows(x: Tensor, spec: ConvSpec) -> Tensor:
    """The T pixels under the kernel at each output position: `(B, I, *k, *S_out)`, a view of the padded input."""
    windows = pad(x, spec)
    for axis, (k, s, d) in enumerate(zip(spec.kernel_size, spec.stride, spec.dilation, strict=True), start=2):
        windows = windows.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
    return windows.permute(0, 1, *range(2 + spec.dims, 2 + 2 * spec.dims), *range(2, 2 + spec.dims))
