"""Kernels kept as one spectrum whose frequencies are shared out among them."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from dynaconv.kernels.fourier_kernel import FourierKernel

__all__ = ["FourierKernels", "frequency_order"]


def frequency_order(rows: int, columns: int, *, in_float32: bool = False) -> Tensor:
    """Positions of a real spectrum, `rows × (columns // 2 + 1)` numbers, flattened, from low to high frequency.

    Args:
        rows: of the matrix that the spectrum is of.
        columns: of that matrix.
        in_float32: compare rounded frequencies, as the authors do; otherwise exact ones, ties in order of position.
    """
    if in_float32:
        f = torch.cartesian_prod(torch.fft.fftfreq(rows).float(), torch.fft.rfftfreq(columns).float())
        rounded: Tensor = torch.linalg.vector_norm(f, dim=-1)
        return rounded.sort(stable=True).indices
    # Frequencies are i / rows and j / columns: times both sizes, their squares are integers.
    i = torch.arange(rows)
    i = torch.minimum(i, rows - i) * columns
    j = torch.arange(columns // 2 + 1) * rows
    return (i[:, None] ** 2 + j**2).flatten().sort(stable=True).indices


class FourierKernels(nn.Module):
    """`W = F⁻¹(Σ_k g_k Ŵ_k) ⊙ tap ⊙ in ⊙ out ⊙ local`, one kernel per sample, as a `FourierKernel`.

    The spectrum Ŵ is that of the kernel laid out as an `(O·k1) × (I/g·k2)` matrix. Sorted by frequency, it is split
    into n runs of equal length (they differ by one where n does not divide it); Ŵ_k is the k-th run, zero elsewhere.
    With all factors one, W is an ordinary kernel, and that is what it starts from. `local` is a factor of its own for
    every number: an activation of C context numbers about the input channel times a vector of the output's tap.

    Args:
        shape: `(O, I/g, k1, k2)`.
        num_kernels: n.
        spectra: r; so many spectra, each with n kernels, are averaged.
        kept_frequencies: the share of the lowest frequencies that there are at all, above 0 and at most 1.
        local_dim: C; 0 for no local factor.
        local_activation: `"sigmoid"` or `"tanh"`, the latter with `local_scale` 1.
        local_scale: factor of the sigmoid.
        groups: g of the convolution.
        as_published: spectra are added up, not averaged; dropped frequencies leave out the scale; frequencies are
            sorted as rounded.
        device: where the parameters live.
        dtype: their type.

    Source: Chen et al., Frequency Dynamic Convolution, CVPR 2025, 2503.18783; Linwei-Chen/FDConv.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        num_kernels: int,
        *,
        spectra: int = 1,
        kept_frequencies: float = 1.0,
        local_dim: int = 0,
        local_activation: str = "sigmoid",
        local_scale: float = 2.0,
        groups: int = 1,
        as_published: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.shape, self.groups, self.num_kernels, self.spectra = shape, groups, num_kernels, spectra
        self.local_activation, self.local_scale = local_activation, local_scale
        outputs, inputs, height, width = shape
        self.rows, self.columns = outputs * height, inputs * width
        order = frequency_order(self.rows, self.columns, in_float32=as_published).to(device)
        kept = max(1, int(len(order) * kept_frequencies))
        run = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order), device=device))
        # Frequencies that are not kept are zero in any run.
        runs = (run * num_kernels // kept).clamp(max=num_kernels - 1)
        self.register_buffer("runs", runs.reshape(self.rows, -1).t().contiguous(), persistent=False)
        self.register_buffer("order", self._positions(order, kept), persistent=False)
        self.register_buffer("kept", order[:kept] if kept < len(order) else None, persistent=False)
        # Stored small, as the authors do: the size of steps that an optimiser takes depends on it.
        self.smallness = max(1, min(outputs, inputs * groups) // 2)
        self.scale = _scale(self.smallness, num_kernels, spectra, kept / len(order), as_published)
        weight = torch.empty(shape, device=device, dtype=dtype)
        # nn.Conv2d's own start.
        nn.init.kaiming_uniform_(weight, a=5**0.5)
        self.spectrum = nn.Parameter(self.spectrum_of(weight))
        self.local = None
        if local_dim:
            start = torch.full((outputs * height * width, local_dim), 1e-6, device=device, dtype=dtype)
            self.local = nn.Parameter(start)

    runs: Tensor
    order: Tensor
    kept: Tensor | None

    def _positions(self, order: Tensor, kept: int) -> Tensor:
        """Where the frequencies of every run are in `runs`, `(n, L)`, with one past the last as filling."""
        columns = self.columns // 2 + 1
        positions = torch.cat([order % columns * self.rows + order // columns, order.new_tensor([len(order)])])
        # Plain numbers, so that devices without any know the longest run.
        first = [-(-k * kept // self.num_kernels) for k in range(self.num_kernels)]
        ends = [*first[1:], len(order)]
        longest = max(end - start for start, end in zip(first, ends, strict=True))
        index = torch.tensor(first, device=order.device)[:, None] + torch.arange(longest, device=order.device)
        inside = index < torch.tensor(ends, device=order.device)[:, None]
        return positions[torch.where(inside, index, len(order))]

    def spectrum_of(self, weight: Tensor) -> Tensor:
        """An ordinary kernel `(O, I/g, k1, k2)` as the parameter `spectrum`, whose gates of one give it back."""
        matrix = weight.transpose(1, 2).reshape(self.rows, self.columns)
        matrix = matrix.to(torch.promote_types(weight.dtype, torch.float32))
        values = torch.view_as_real(torch.fft.rfft2(matrix)) / self.smallness
        if self.kept is not None:
            values = values.flatten(0, 1)[self.kept]
        return values.to(weight.dtype).expand(self.spectra, *values.shape).clone()

    def start_from(self, weight: Tensor) -> None:
        """Take over an ordinary kernel `(O, I/g, k1, k2)`."""
        with torch.no_grad():
            self.spectrum.copy_(self.spectrum_of(weight))

    def forward(
        self, gates: Tensor, taps: Tensor | None, inputs: Tensor | None, outputs: Tensor | None, local: Tensor | None
    ) -> FourierKernel:
        """The kernel of every sample, without a bias.

        Args:
            gates: `(B, r·n)`, all ones for the whole spectrum.
            taps: `(B, k1·k2)` or `None`.
            inputs: `(B, I)` or `None`.
            outputs: `(B, O)` or `None`.
            local: `(B, I, C)`; `None` without local factors.
        """
        left, right = (None, None)
        if not (taps is inputs is outputs is None):
            left, right = self._gate_factors(gates, taps, inputs, outputs)
        vectors, context = (None, None) if local is None else self._local_factors(local)
        spectrum = self._full_spectrum(gates.dtype)
        by_spectrum = gates.unflatten(1, (self.spectra, -1))
        return FourierKernel(spectrum, self.runs, self.order, by_spectrum, self.shape, left, right, vectors, context)

    def _full_spectrum(self, dtype: torch.dtype) -> Tensor:
        """The spectra with column frequencies first, `(r, columns // 2 + 1, rows, 2)`, in at least float32."""
        # The factor of the local sigmoids, once for all samples.
        sigmoid = self.local_scale if self.local_activation == "sigmoid" else 2.0
        factor = 1.0 if self.local is None else sigmoid
        values = self.spectrum.to(torch.promote_types(dtype, torch.float32)) * (self.scale * factor)
        if self.kept is not None:
            zeros = values.new_zeros(self.spectra, self.runs.numel(), 2)
            values = zeros.index_copy(1, self.kept, values)
        return values.reshape(self.spectra, self.rows, -1, 2).transpose(1, 2).contiguous()

    def _gate_factors(
        self, like: Tensor, taps: Tensor | None, inputs: Tensor | None, outputs: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`tap ⊙ in ⊙ out` as a product of rank one, `(B, g, O/g·k1·k2, 1)` and `(B, g, 1, I/g)`."""
        (batch, _), (out_channels, in_per_group, height, width) = like.shape, self.shape
        ones = like.new_ones(1, 1)
        outputs, taps = (ones if factor is None else factor for factor in (outputs, taps))
        rows = (outputs[:, :, None] * taps[:, None]).expand(batch, out_channels, height * width)
        columns = (ones if inputs is None else inputs).expand(batch, self.groups * in_per_group)
        return rows.flatten(1).unflatten(1, (self.groups, -1, 1)), columns.unflatten(1, (self.groups, 1, -1))

    def _local_factors(self, local: Tensor) -> tuple[Tensor, Tensor]:
        """The scores of the local sigmoids as a product, `(g, O/g·k1·k2, C)` and `(B, g, C, I/g)`."""
        assert self.local is not None
        vectors = self.local.to(local.dtype).unflatten(0, (self.groups, -1))
        contexts = local.unflatten(1, (self.groups, -1)).transpose(2, 3)
        # 1 + tanh(s) is 2 σ(2s).
        return vectors * (2 if self.local_activation == "tanh" else 1), contexts


def _scale(smallness: int, num_kernels: int, spectra: int, kept: float, as_published: bool) -> float:
    """What makes a kernel of the stored spectra under gates of one."""
    if not as_published:
        # The numbers' variance is that of all frequencies together.
        return smallness / spectra / sqrt(kept)
    # The authors' gates are divided by their number; only whole spectra make up for it.
    return float(smallness) if kept == 1 else 1 / (num_kernels * spectra)
