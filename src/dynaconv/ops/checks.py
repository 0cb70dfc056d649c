"""Checks of maps and of kernels, mostly against a convolution's geometry, before any work is done."""

from __future__ import annotations

from torch import Tensor

from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels import (
    CellKernel,
    DenseKernel,
    FourierKernel,
    Kernel,
    LowRankKernel,
    MixtureKernel,
    StaticKernel,
    TapwiseKernel,
)
from dynaconv.spec import ConvSpec

__all__ = ["check_input", "check_kernel", "check_map"]

_SIZES = {1: "L", 2: "H, W", 3: "D, H, W"}


def check_input(x: Tensor, spec: ConvSpec) -> None:
    """Raise unless `x` is `(B, I, *S)` with the spec's I and a map that the padding and the kernel fit on.

    Raises:
        ShapeError: wrong rank or channel count.
        ArgumentError: the padded map is smaller than the kernel, or reflected or wrapped padding is wider than it.
    """
    if x.dim() != spec.dims + 2 or x.shape[1] != spec.in_channels:
        raise ShapeError("x", x.shape, f"(B, {spec.in_channels}, {_SIZES[spec.dims]})")
    size = tuple(x.shape[2:])
    spec.output_size(size)
    # A map of n pixels can be reflected by n - 1 (its edge is not repeated) and wrapped by n.
    room = {"reflect": 1, "circular": 0}.get(spec.padding_mode)
    if room is not None and any(max(pads) > n - room for n, pads in zip(size, spec.pads, strict=True)):
        allowed = f"padding that fits on a map of size {size}; here it is {spec.pads}"
        raise ArgumentError("padding_mode", spec.padding_mode, allowed)


def check_map(x: Tensor, channels: int) -> None:
    """Raise unless `x` is `(B, C, H, W)` with so many channels and a pixel.

    Raises:
        ShapeError: not four dimensions, another number of channels, or a map without pixels.
    """
    if x.dim() != 4 or x.shape[1] != channels or not (x.shape[2] and x.shape[3]):
        raise ShapeError("x", x.shape, f"(B, {channels}, H, W) with H and W at least 1")


def check_kernel(x: Tensor, kernel: Kernel, spec: ConvSpec) -> None:
    """Raise unless the kernel's tensors have the shapes that `x` and the spec ask for.

    Raises:
        ShapeError: naming the tensor, its shape and the shapes allowed.
    """
    batch = x.shape[0]
    match kernel:
        case StaticKernel():
            _expect("weight", kernel.weight, spec.weight_shape)
            _expect("bias", kernel.bias, (spec.out_channels,))
        case DenseKernel():
            _expect("weight", kernel.weight, (batch, *spec.weight_shape))
            _expect("bias", kernel.bias, (batch, spec.out_channels), (spec.out_channels,))
        case MixtureKernel():
            _check_mixture(batch, kernel, spec)
        case TapwiseKernel():
            _check_tapwise(x, kernel, spec)
        case CellKernel():
            _check_cells(batch, kernel, spec)
        case FourierKernel():
            _check_fourier(batch, kernel, spec)
        case LowRankKernel():
            _check_low_rank(batch, kernel, spec)


def _check_mixture(batch: int, kernel: MixtureKernel, spec: ConvSpec) -> None:
    experts = kernel.bank.shape[0]
    _expect("bank", kernel.bank, (experts, *spec.weight_shape))
    _expect("mixture", kernel.mixture, (batch, experts))
    _expect("bias_bank", kernel.bias_bank, (experts, spec.out_channels))
    scales = {
        "tap_scale": spec.kernel_size,
        "in_scale": (spec.in_channels,),
        "out_scale": (spec.out_channels,),
    }
    for name, shape in scales.items():
        _expect(name, getattr(kernel, name), (batch, *shape), (batch, experts, *shape))


def _check_tapwise(x: Tensor, kernel: TapwiseKernel, spec: ConvSpec) -> None:
    _expect("weight", kernel.weight, spec.weight_shape)
    _expect("bias", kernel.bias, (spec.out_channels,))
    out_size = spec.output_size(x.shape[2:])
    tap_groups = kernel.taps.shape[1] if kernel.taps.dim() > 1 else 0
    if tap_groups < 1 or spec.in_channels % tap_groups:
        allowed = f"(B, G, T, *S_out) with a G that divides the {spec.in_channels} input channels"
        raise ShapeError("taps", kernel.taps.shape, allowed)
    _expect("taps", kernel.taps, (x.shape[0], tap_groups, spec.taps, *out_size))


def _check_low_rank(batch: int, kernel: LowRankKernel, spec: ConvSpec) -> None:
    rank = kernel.left.shape[-1]
    _expect("weight", kernel.weight, spec.weight_shape)
    _expect("out_scale", kernel.out_scale, (batch, spec.out_channels))
    _expect("left", kernel.left, (spec.out_channels, rank))
    _expect("middle", kernel.middle, (batch, spec.groups, rank, rank))
    _expect("right", kernel.right, (spec.groups * rank, spec.in_channels // spec.groups))
    _expect("bias", kernel.bias, (batch, spec.out_channels), (spec.out_channels,))


def _check_cells(batch: int, kernel: CellKernel, spec: ConvSpec) -> None:
    cells, *shape = kernel.cells.shape
    if len(shape) != len(spec.weight_shape) or any(w % c for w, c in zip(spec.weight_shape, shape, strict=True)):
        raise ShapeError("cells", kernel.cells.shape, f"(N, o, i, *c), of which {spec.weight_shape} are multiples")
    outputs, inputs, *taps = (w // c for w, c in zip(spec.weight_shape, shape, strict=True))
    _expect("mixture", kernel.mixture, (batch, *taps, outputs, inputs, cells))
    _expect("bias", kernel.bias, (batch, spec.out_channels), (spec.out_channels,))


def _check_fourier(batch: int, kernel: FourierKernel, spec: ConvSpec) -> None:
    if kernel.size != spec.weight_shape:
        raise ShapeError("size", kernel.size, str(spec.weight_shape))
    out_channels, in_per_group, height, width = kernel.size
    rows, columns = out_channels * height, in_per_group * width
    spectra, kernels = kernel.spectrum.shape[0], kernel.order.shape[0]
    _expect("spectrum", kernel.spectrum, (spectra, columns // 2 + 1, rows, 2))
    _expect("runs", kernel.runs, (columns // 2 + 1, rows))
    _expect("gates", kernel.gates, (batch, spectra, kernels))
    for left, right, samples in (("left", "right", (batch,)), ("vectors", "context", ())):
        first: Tensor | None = getattr(kernel, left)
        rank = 0 if first is None else first.shape[-1]
        _expect(left, first, (*samples, spec.groups, rows * width // spec.groups, rank))
        _expect(right, getattr(kernel, right), (batch, spec.groups, rank, in_per_group))
    _expect("bias", kernel.bias, (batch, spec.out_channels), (spec.out_channels,))


def _expect(name: str, tensor: Tensor | None, *shapes: tuple[int, ...]) -> None:
    # The rank first: an exporter that keeps the batch size free must not compare it with a channel count.
    if tensor is not None and not any(len(shape) == tensor.dim() and shape == tuple(tensor.shape) for shape in shapes):
        raise ShapeError(name, tensor.shape, " or ".join(map(str, shapes)))
