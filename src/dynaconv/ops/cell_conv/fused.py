"""`cell_conv` by the compiled kernels: every sample's kernel is put together in cache and used at once."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dynaconv.kernels import CellKernel
from dynaconv.native import cells as native
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward"]


def forward(x: Tensor, kernel: CellKernel, spec: ConvSpec) -> Tensor:
    """`x: (B, I, *S)`, padded already where the padding is not zeros → `(B, O, *S_out)`, channels-last."""
    return native.forward(x, *_parts(kernel), spec)


def backward(
    gradient: Tensor, x: Tensor, kernel: CellKernel, spec: ConvSpec, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients of input, cells and mixture as far as they are wanted; kernels are put together again."""
    cells, mixture = _parts(kernel)
    to_x = native.input_gradient(gradient, x, cells, mixture, spec) if wanted[0] else None
    if not any(wanted[1:]):
        return [to_x, None, None]
    to_cells, to_mixture = native.gradients(gradient, x, cells, mixture, spec)
    return [to_x, to_cells.view(kernel.cells.shape), to_mixture.view(kernel.mixture.shape)]


def _parts(kernel: CellKernel) -> tuple[Tensor, Tensor]:
    """Cells `(N, o, i)` and mixtures `(B, T, Q, R, N)`."""
    taps = kernel.mixture.dim() - 4
    return kernel.cells.flatten(2), kernel.mixture.flatten(1, taps)
