"""The convolution with a scaled static kernel plus a low-rank term: two thin products beside an ordinary one."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from dynaconv.errors import ArgumentError
from dynaconv.kernels import DenseKernel, LowRankKernel
from dynaconv.ops.checks import check_input, check_kernel
from dynaconv.ops.dense_conv import run as run_dense
from dynaconv.ops.exported import is_exporting, pixels_at
from dynaconv.ops.maps import on_map, with_bias
from dynaconv.ops.static_conv import pad, static_conv
from dynaconv.spec import ConvSpec

__all__ = ["ALGORITHMS", "centre_product", "fuse", "run"]

ALGORITHMS = ("factored", "reference")


def run(x: Tensor, kernel: LowRankKernel, spec: ConvSpec, algorithm: str = "auto") -> Tensor:
    """`y = out_scale ⊙ (weight * x) + left (middle (right x at the centre taps)) + bias`; no kernel is written out.

    Args:
        x: `(B, I, *S)`.
        kernel: the kernel that each sample gets.
        spec: the geometry.
        algorithm: `"factored"`, which `"auto"` is too, or `"reference"`: all kernels written out.

    Raises:
        ArgumentError: a shape or the algorithm's name is not allowed.
    """
    check_input(x, spec)
    check_kernel(x, kernel, spec)
    if algorithm not in ("auto", *ALGORITHMS):
        raise ArgumentError("algorithm", algorithm, f"auto or one of {', '.join(ALGORITHMS)}")
    if algorithm == "reference":
        return run_dense(x, DenseKernel(kernel.dense(), kernel.bias), spec, algorithm)
    y = static_conv(x, kernel.weight, None, spec)
    y = y * on_map(kernel.out_scale.to(y.dtype), y)
    fused = fuse(centre_product(x, kernel.right, spec), kernel.middle)
    return with_bias(y + static_conv(fused, _pointwise(kernel.left, spec), None, _unit(spec)), kernel.bias)


def centre_product(x: Tensor, matrix: Tensor, spec: ConvSpec) -> Tensor:
    """`matrix: (g·L, I/g)` times the pixel under the centre tap, at every output position: `(B, g·L, *S_out)`."""
    return static_conv(_centres(x, spec), _pointwise(matrix, spec), None, _unit(spec))


def fuse(maps: Tensor, matrices: Tensor) -> Tensor:
    """Each group of channels of `maps: (B, g·L, *S)` times its sample's matrix of `matrices: (B, g, L, L)`."""
    by_group: Tensor = maps.flatten(2).unflatten(1, matrices.shape[1:3])
    return (matrices.to(maps.dtype) @ by_group).reshape(maps.shape)


def _centres(x: Tensor, spec: ConvSpec) -> Tensor:
    """The pixels under the kernel's centre tap: `(B, I, *S_out)`."""
    if is_exporting("auto"):
        return pixels_at(pad(x, spec), [(k - 1) // 2 for k in spec.kernel_size], spec)
    size = spec.output_size(x.shape[2:])
    centre = [d * ((k - 1) // 2) for d, k in zip(spec.dilation, spec.kernel_size, strict=True)]
    starts = [c - before for c, (before, _) in zip(centre, spec.pads, strict=True)]
    reach = [start + s * (n - 1) for start, s, n in zip(starts, spec.stride, size, strict=True)]
    if any(start < 0 or last >= n for start, last, n in zip(starts, reach, x.shape[2:], strict=True)):
        x, starts = pad(x, spec), centre
    for dim, (start, s, n) in enumerate(zip(starts, spec.stride, size, strict=True), start=2):
        if (start, s, n) != (0, 1, x.shape[dim]):
            x = x.narrow(dim, start, s * (n - 1) + 1)[(slice(None),) * dim + (slice(None, None, s),)]
    return x


def _pointwise(matrix: Tensor, spec: ConvSpec) -> Tensor:
    """A matrix as a kernel of one tap."""
    return matrix.reshape(*matrix.shape, *(1 for _ in spec.kernel_size))


def _unit(spec: ConvSpec) -> ConvSpec:
    """One tap, at every position, in the spec's groups."""
    ones = (1,) * spec.dims
    return replace(spec.unpadded(), kernel_size=ones, stride=ones, dilation=ones)
