"""FDConv: a kernel mixed in the frequency domain, on an image weighted by frequency bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from dynaconv.coefficients import BandGates, BranchNorm, GateActivation, KernelModulation, LocalModulation
from dynaconv.context import global_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.errors import ArgumentError
from dynaconv.kernels import FourierKernel, FourierKernels, Kernel
from dynaconv.layers.base import DynamicConv
from dynaconv.layers.score_conv import ScoreConv2d
from dynaconv.ops.checks import check_input
from dynaconv.ops.frequency_bands import modulate_bands
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["FDConv2d"]

_BANDS = (2, 4, 8)


class FDConv2d(DynamicConv):
    """`y = W(x) * Σ_j g_j(x) ⊙ x_j`: frequency dynamic convolution.

    Three parts. Fourier disjoint weight: the kernel's spectrum is one parameter, split by frequency into n kernels,
    each with a gate. Kernel spatial modulation: gates of taps and channels, and a local factor for every single number
    of the kernel. Frequency band modulation: the input's bands x_j, each weighted at every position. All gates start at
    one, so that the layer starts as an ordinary convolution; it has little more than one's parameters.

    `kernel(x)` is W, which meets the weighted input, not x itself. Groups, which the authors' code stops at, have a
    spectrum of their weights and local factors among their own channels.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        num_kernels: n; need not divide the number of frequencies.
        reduction: r; the hidden width of the gates is `I // r`.
        min_hidden: its least value.
        temperature: divides the scores of all gates but the local ones.
        kernel_temperature: divides the scores of the kernels' gates; `temperature` by default.
        activation: of the gates: `"sigmoid"`, `"tanh"` (both one at zero) or, for kernels alone, `"softmax"`.
        gate_scale: factor of the sigmoids, 2 to start at one.
        kernels_only: no gates of taps and channels.
        local: whether there are local factors.
        local_activation: `"sigmoid"` or `"tanh"`.
        spectra: so many spectra, each with n kernels, are averaged.
        kept_frequencies: the share of the lowest frequencies that the kernel has at all.
        bands: edges of the bands, rising integers >= 2: see `ops.frequency_bands`; none for no band modulation.
            By default 2, 4, 8 for 3×3 kernels and none for others.
        band_groups: so many groups of channels have band gates of their own; must divide I.
        band_kernel: size of the convolution that makes band gates, odd.
        band_activation: `"sigmoid"`, `"tanh"`, or `"softmax"` over the groups.
        low_band_gate: whether what is below all edges has a gate too.
        norm: `"batch"`, `"layer"` or `None`, in the gates' branch.
        as_published: band masks of 64×64 maps stretched to the map, frequencies sorted after rounding, several spectra
            added up, and no scale for dropped frequencies: needed for the authors' checkpoints.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Chen et al., Frequency Dynamic Convolution for Dense Image Prediction, CVPR 2025, 2503.18783;
    Linwei-Chen/FDConv.

    Example:
        >>> layer, x = FDConv2d(16, 32, 3, padding=1, num_kernels=8), torch.randn(2, 16, 9, 6)
        >>> layer(x).shape, layer.coefficients(x)["kernels"].shape, layer.coefficients(x)["bands"].shape
        (torch.Size([2, 32, 9, 6]), torch.Size([2, 8]), torch.Size([2, 1, 3, 9, 6]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        num_kernels: int = 64,
        reduction: int = 16,
        min_hidden: int = 16,
        temperature: float = 1.0,
        kernel_temperature: float | None = None,
        activation: GateActivation = "sigmoid",
        gate_scale: float = 2.0,
        kernels_only: bool = False,
        local: bool = True,
        local_activation: GateActivation = "sigmoid",
        spectra: int = 1,
        kept_frequencies: float = 1.0,
        bands: Sequence[int] | None = None,
        band_groups: int = 1,
        band_kernel: int = 3,
        band_activation: GateActivation = "sigmoid",
        low_band_gate: bool = False,
        norm: BranchNorm = "batch",
        as_published: bool = False,
    ) -> None:
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=2,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        self.as_published = as_published
        self.bands = _checked_bands((_BANDS if spec.kernel_size == (3, 3) else ()) if bands is None else bands)
        _check_activations(activation, local_activation, band_activation, kernels_only)
        if not 0 < kept_frequencies <= 1:
            raise ArgumentError("kept_frequencies", kept_frequencies, "a number above 0, at most 1")
        kernels = check_count("num_kernels", num_kernels) * check_count("spectra", spectra)
        hidden = hidden_channels(in_channels, reduction, min_hidden)
        self.modulation = KernelModulation(
            in_channels,
            hidden,
            {"kernels": kernels, **({} if kernels_only else _gate_counts(spec))},
            norm=norm,
            activation=activation,
            scale=gate_scale,
            temperature=temperature,
            kernel_temperature=temperature if kernel_temperature is None else kernel_temperature,
            device=device,
            dtype=dtype,
        )
        self.local = LocalModulation(in_channels, device, dtype) if local else None
        self.kernels = FourierKernels(
            spec.weight_shape,
            num_kernels,
            spectra=spectra,
            kept_frequencies=kept_frequencies,
            local_dim=0 if self.local is None else self.local.width,
            local_activation=local_activation,
            local_scale=gate_scale,
            groups=groups,
            as_published=as_published,
            device=device,
            dtype=dtype,
        )
        gated = len(self.bands) + low_band_gate if self.bands else 0
        self.band_gates = _band_gates(in_channels, gated, band_groups, band_kernel, band_activation, device, dtype)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """Gates that are one at the start, and the context of the local factors.

        `{"kernels": (B, n), "taps": (B, k1·k2), "inputs": (B, I), "outputs": (B, O), "local": (B, I, C),
        "bands": (B, G, J, H, W)}`, as far as the layer has them.
        """
        context = global_average(x)
        found: dict[str, Tensor] = self.modulation(context)
        if self.local is not None:
            found["local"] = self.local(context)
        if self.band_gates is not None:
            found["bands"] = self.band_gates(x)
        return found

    def assemble(self, coefficients: dict[str, Tensor]) -> FourierKernel:
        """The kernel of every sample; the bands are no part of it."""
        parts = (coefficients.get(name) for name in ("taps", "inputs", "outputs", "local"))
        kernel: FourierKernel = self.kernels(coefficients["kernels"], *parts)
        return replace(kernel, bias=self.bias)

    def operands(self, x: Tensor) -> tuple[Tensor, Kernel, ConvSpec]:
        """The input under its band gates, with the kernel that the input itself asks for."""
        check_input(x, self.spec)
        coefficients = self.coefficients(x)
        if "bands" in coefficients:
            x = modulate_bands(x, coefficients["bands"], self.bands, as_published=self.as_published)
        return x, self.assemble(coefficients), self.spec


def _band_gates(
    in_channels: int,
    bands: int,
    groups: int,
    kernel_size: int,
    activation: GateActivation,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> BandGates | None:
    """Checked gates of so many bands, `None` of none."""
    if in_channels % check_count("band_groups", groups):
        raise ArgumentError("band_groups", groups, f"a divisor of in_channels={in_channels}")
    if check_count("band_kernel", kernel_size) % 2 == 0:
        raise ArgumentError("band_kernel", kernel_size, "an odd integer")
    if not bands:
        return None
    return BandGates(
        in_channels,
        bands,
        groups=groups,
        kernel_size=kernel_size,
        activation=activation,
        device=device,
        dtype=dtype,
        conv=ScoreConv2d,
    )


def _gate_counts(spec: ConvSpec) -> dict[str, int]:
    """How many gates there are of each kind; none of outputs where each has one input, none of a single tap."""
    counts = {"inputs": spec.in_channels}
    if not spec.groups == spec.in_channels == spec.out_channels:
        counts["outputs"] = spec.out_channels
    return {**counts, "taps": spec.taps} if spec.taps > 1 else counts


def _checked_bands(bands: Sequence[int]) -> tuple[int, ...]:
    edges = tuple(bands)
    if not all(isinstance(k, int) and k >= 2 for k in edges) or any(a >= b for a, b in pairwise(edges)):
        raise ArgumentError("bands", bands, "rising integers >= 2, or none")
    return edges


def _check_activations(activation: str, local: str, band: str, kernels_only: bool) -> None:
    if activation not in ("sigmoid", "tanh", *(("softmax",) if kernels_only else ())):
        raise ArgumentError("activation", activation, '"sigmoid", "tanh" or, with kernels_only, "softmax"')
    if local not in ("sigmoid", "tanh"):
        raise ArgumentError("local_activation", local, '"sigmoid" or "tanh"')
    if band not in ("sigmoid", "tanh", "softmax"):
        raise ArgumentError("band_activation", band, '"sigmoid", "tanh" or "softmax"')
