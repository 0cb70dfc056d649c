"""The fused kernels that convolve with kernels kept as spectra, on tensors: forward and all gradients.

All is float32 on the CPU; tensors have the shapes of `FourierKernel`. What is tiled or half transformed lies as the
instruction set likes it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.native.calls import call, channels_last, empty_map, plain, problem_of
from dynaconv.native.library import library, why_off
from dynaconv.spec import ConvSpec

__all__ = ["Buffers", "Sizes", "backward", "forward", "sizes_of", "tile", "untile", "why_not"]


class _Problem(ctypes.Structure):
    """Sizes of one kernel, field by field as in native/spectrum.h."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("spectra", "gates", "outputs", "inputs", "height", "width", "rank", "local_rank", "threads")
    )


class Sizes(NamedTuple):
    """How many numbers there are.

    Attributes:
        tiles: of all spectra.
        runs: of the gates' places, 16 bit integers.
        half: half transformed at a time.
    """

    tiles: int
    runs: int
    half: int


class Buffers(NamedTuple):
    """Flat memory of the sizes that `sizes_of` gives; `tile` fills the first two, and `half` is overwritten."""

    tiles: Tensor
    runs: Tensor
    half: Tensor


def why_not(kernel: FourierKernel, spec: ConvSpec) -> tuple[str, ...]:
    """The reasons why the fused kernels cannot convolve with a kernel value; empty where they can."""
    off = why_off()
    if off:
        return (f"native kernels are {off}",)
    spectrum = kernel.spectrum
    found = []
    if spectrum.dtype != torch.float32 or spectrum.device.type != "cpu":
        found.append(f"{spectrum.dtype} on {spectrum.device}: only float32 on the CPU")
    if spec.groups > 1:
        found.append(f"groups={spec.groups}: only one group")
    if not library().dynaconv_spectrum_runs(ctypes.byref(_problem(kernel))):
        rows, columns = _matrix_size(kernel)
        text = "only even columns, prime factors up to 13, kernels up to 16 wide, and 65536 gates"
        found.append(f"a {rows}×{columns} matrix: {text}")
    return tuple(found)


def sizes_of(kernel: FourierKernel) -> Sizes:
    """How much memory the functions need."""
    numbers = (ctypes.c_int64 * 3)()
    library().dynaconv_spectrum_sizes(ctypes.byref(_problem(kernel)), ctypes.c_int64(len(kernel.gates)), numbers)
    return Sizes(*numbers)


def tile(kernel: FourierKernel, buffers: Buffers) -> None:
    """Write the spectra and the places of gates as the other functions read them."""
    given = (plain(kernel.spectrum), kernel.runs.contiguous(), buffers.tiles, buffers.runs)
    call("spectrum_tiles", _problem(kernel), *given)


def forward(x: Tensor, kernel: FourierKernel, spec: ConvSpec, buffers: Buffers) -> Tensor:
    """Convolve `x: (B, I, H, W)` with the kernel value, B at least 1.

    Returns:
        `(B, O, H_out, W_out)`, channels-last, without the bias.

    Raises:
        AlgorithmError: the kernels are off.
    """
    y = empty_map(x, spec.out_channels, spec.output_size(x.shape[2:]))
    maps, parts = ctypes.byref(problem_of(x, spec)), _parts(kernel)
    call("spectrum_forward", _problem(kernel), maps, *buffers[:2], _addresses(parts), buffers.half, channels_last(x), y)
    return y


def backward(
    gradient: Tensor, x: Tensor, kernel: FourierKernel, spec: ConvSpec, buffers: Buffers, tile_gradient: Tensor
) -> list[Tensor | None]:
    """The gradients of x, channels-last, and of gates, left, right, vectors and context.

    Args:
        gradient: `(B, O, H_out, W_out)`.
        x: as in `forward`.
        kernel: the kernel value.
        spec: the geometry.
        buffers: as in `forward`.
        tile_gradient: as large as `buffers.tiles`; added to it is what `untile` makes the spectrum's gradient of.

    Raises:
        AlgorithmError: the kernels are off.
    """
    parts, x_gradient = _parts(kernel), empty_map(x, spec.in_channels, x.shape[2:])
    found = [None if part is None else torch.zeros(part.shape) for part in parts]
    maps = (channels_last(x), channels_last(gradient), x_gradient)
    given = (ctypes.byref(problem_of(x, spec)), *buffers[:2], _addresses(parts), buffers.half)
    call("spectrum_backward", _problem(kernel), *given, *maps, tile_gradient, _addresses(found))
    return [x_gradient, *found]


def untile(kernel: FourierKernel, tiles: Tensor) -> Tensor:
    """The gradient of the spectrum from that of its tiles."""
    found = torch.empty(kernel.spectrum.shape)
    call("spectrum_untile", _problem(kernel), tiles, found)
    return found


def _parts(kernel: FourierKernel) -> list[Tensor | None]:
    """Gates, left, right, vectors and context as the kernels read them."""
    return [plain(part) for part in (kernel.gates, kernel.left, kernel.right, kernel.vectors, kernel.context)]


def _addresses(tensors: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(None if t is None else t.data_ptr() for t in tensors))


def _matrix_size(kernel: FourierKernel) -> tuple[int, int]:
    outputs, inputs, height, width = kernel.size
    return outputs * height, inputs * width


def _problem(kernel: FourierKernel) -> _Problem:
    return _Problem(
        spectra=kernel.gates.shape[1],
        gates=kernel.gates.shape[2],
        **dict(zip(("outputs", "inputs", "height", "width"), kernel.size, strict=True)),
        rank=0 if kernel.left is None else kernel.left.shape[-1],
        local_rank=0 if kernel.vectors is None else kernel.vectors.shape[-1],
        threads=torch.get_num_threads(),
    )
