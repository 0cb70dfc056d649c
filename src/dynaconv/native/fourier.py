"""The fused kernels that make convolution kernels from spectra, on tensors, and take their gradient back.

All is float32 on the CPU; tensors have the shapes of `FourierKernel`. What is tiled, half transformed, or a matrix
before its factors lies as the instruction set likes it: these are flat tensors, of the sizes that `sizes_of` gives.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.native.calls import call, plain
from dynaconv.native.library import library, why_off

__all__ = ["Sizes", "add_gradient", "sizes_of", "tile", "untile", "weights", "why_not"]


class _Problem(ctypes.Structure):
    """Sizes of one kernel, field by field as in native/spectrum.h."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("spectra", "gates", "outputs", "inputs", "height", "width", "rank", "local_rank", "threads")
    )


@dataclass(frozen=True)
class Sizes:
    """How many numbers there are.

    Attributes:
        tiles: of all spectra.
        runs: of the gates' places, 16 bit integers.
        half: of a sample's half transformed spectrum.
        matrix: of a sample's matrix before its factors.
    """

    tiles: int
    runs: int
    half: int
    matrix: int


def why_not(kernel: FourierKernel) -> tuple[str, ...]:
    """The reasons why the fused kernels cannot make a kernel; empty where they can."""
    off = why_off()
    if off:
        return (f"native kernels are {off}",)
    spectrum = kernel.spectrum
    found = []
    if spectrum.dtype != torch.float32 or spectrum.device.type != "cpu":
        found.append(f"{spectrum.dtype} on {spectrum.device}: only float32 on the CPU")
    if any(factor is not None and factor.shape[1] != 1 for factor in (kernel.left, kernel.context)):
        found.append("factors by group: only one group")
    if not library().dynaconv_spectrum_runs(ctypes.byref(_problem(kernel))):
        rows, columns = _matrix_size(kernel)
        text = "only even columns, prime factors up to 13, kernels up to 16 wide, and 65536 gates"
        found.append(f"a {rows}×{columns} matrix: {text}")
    return tuple(found)


def sizes_of(kernel: FourierKernel) -> Sizes:
    """How much memory the functions need."""
    numbers = (ctypes.c_int64 * 4)()
    library().dynaconv_spectrum_sizes(ctypes.byref(_problem(kernel)), numbers)
    return Sizes(*numbers)


def tile(kernel: FourierKernel, tiles: Tensor, runs: Tensor) -> None:
    """Write the spectra and the places of gates as the other functions read them."""
    call("spectrum_tiles", _problem(kernel), plain(kernel.spectrum), kernel.runs.contiguous(), tiles, runs)


def weights(
    kernel: FourierKernel,
    samples: slice,
    tiled: tuple[Tensor, Tensor],
    half: Tensor,
    matrix: Tensor | None,
    out: Tensor,
) -> None:
    """Write some samples' kernels.

    Args:
        kernel: the kernel value.
        samples: which.
        tiled: what `tile` wrote.
        half: is overwritten.
        matrix: what they are before their factors, for `add_gradient`.
        out: `(b, O, I/g, k1, k2)`.
    """
    parts = _parts(kernel, samples)
    given = (ctypes.c_int64(len(out)), *tiled, _addresses(parts))
    call("spectrum_weights", _problem(kernel), *given, half, matrix, out)


def add_gradient(
    kernel: FourierKernel,
    samples: slice,
    tiled: tuple[Tensor, Tensor],
    half: Tensor,
    matrix: Tensor,
    gradient: Tensor,
    totals: tuple[Tensor, Sequence[Tensor | None]],
) -> None:
    """Add what the gradient of some samples' kernels gives their parts.

    Args:
        kernel: the kernel value.
        samples: which.
        tiled: what `tile` wrote.
        half: is overwritten.
        matrix: what `weights` wrote.
        gradient: `(b, O, I/g, k1, k2)`.
        totals: the tiles' gradient, for `untile`, and those of gates, left, right, vectors and context, all samples'.
    """
    parts = _parts(kernel, samples)
    tiles, (gates, left, right, vectors, context) = totals
    of_samples = (t if t is None else t[samples] for t in (gates, left, right))
    found = (*of_samples, vectors, context if context is None else context[samples])
    given = (ctypes.c_int64(len(gradient)), *tiled, _addresses(parts), matrix, gradient.contiguous())
    call("spectrum_gradient", _problem(kernel), *given, half, tiles, _addresses(found))


def untile(kernel: FourierKernel, tiles: Tensor) -> Tensor:
    """The gradient of the spectrum from that of its tiles."""
    found = torch.empty(kernel.spectrum.shape)
    call("spectrum_untile", _problem(kernel), tiles, found)
    return found


def _parts(kernel: FourierKernel, samples: slice) -> tuple[Tensor | None, ...]:
    """Gates, left, right, vectors and context as the kernels read them."""
    by_sample = (kernel.gates, kernel.left, kernel.right, kernel.context)
    gates, left, right, context = (plain(t if t is None else t[samples]) for t in by_sample)
    return gates, left, right, plain(kernel.vectors), context


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
