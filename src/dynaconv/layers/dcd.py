"""DCD: a static kernel, scaled, plus a small dynamic matrix that fuses channels."""

from __future__ import annotations

from math import isqrt
from typing import ClassVar

import torch
from torch import Tensor, nn

from dynaconv.coefficients import BranchNorm, ChannelFusion, MapAffine
from dynaconv.context import grid_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.kernels import LowRankKernel
from dynaconv.layers.base import DynamicConv
from dynaconv.ops.low_rank_conv import centre_product, fuse
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["DCDConv1d", "DCDConv2d", "DCDConv3d"]


class _DCDConvNd(DynamicConv):
    """DCD in any number of dimensions; documented at `DCDConv2d`."""

    dims: ClassVar[int]

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
        rank: int | None = None,
        context_grid: int = 1,
        reduction: int = 16,
        min_hidden: int = 4,
        hidden_dim: int | None = None,
        norm: BranchNorm = "batch",
    ) -> None:
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=self.dims,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        self.context_grid = check_count("context_grid", context_grid)
        context_dim = in_channels * context_grid**self.dims
        self.rank = isqrt(context_dim // groups) if rank is None else check_count("rank", rank)
        reduced = hidden_channels(max(context_dim, groups * self.rank**2), reduction, min_hidden)
        hidden = reduced if hidden_dim is None else check_count("hidden_dim", hidden_dim)
        self.branch = ChannelFusion(context_dim, hidden, out_channels, groups, self.rank, device, dtype)
        self.weight = nn.Parameter(torch.empty(spec.weight_shape, device=device, dtype=dtype))
        thin = groups * self.rank
        self.q = nn.Parameter(torch.empty(thin, in_channels // groups, device=device, dtype=dtype))
        self.p = nn.Parameter(torch.empty(out_channels, self.rank, device=device, dtype=dtype))
        for weight in (self.weight, self.q, self.p):
            # nn.Conv2d's own start.
            nn.init.kaiming_uniform_(weight, a=5**0.5)
        self.norm_q = None if norm is None else MapAffine(norm, thin, device=device, dtype=dtype)
        self.norm_phi = None if norm is None else MapAffine(norm, thin, device=device, dtype=dtype)

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"out_scale": (B, O), "fusion": (B, g, L, L), "shift": (B, g·L)}`.

        The fusion is `(N2 Φ + I) N1` with the scales of both normalisations as diagonal matrices; what they add, ahead
        of P, is the shift, which is left out without normalisation.
        """
        scale, phi = self.branch(grid_average(x, self.context_grid))
        found = {"out_scale": scale.to(self.p.dtype)}
        identity = torch.eye(self.rank, device=phi.device, dtype=phi.dtype)
        if self.norm_q is None or self.norm_phi is None:
            return {**found, "fusion": (phi + identity).to(self.p.dtype)}
        q = centre_product(x, self.q, self.spec) if self.norm_q.reads_maps else None
        scale_q, shift_q = self.norm_q(q)
        z = None
        if q is not None:
            ones = (1,) * self.dims
            z = fuse(q * scale_q.unflatten(1, (-1, *ones)) + shift_q.unflatten(1, (-1, *ones)), phi)
        scale_phi, shift_phi = self.norm_phi(z)
        by_group = (self.spec.groups, self.rank)
        scale_q, shift_q = scale_q.unflatten(1, by_group), shift_q.unflatten(1, by_group)
        scale_phi, shift_phi = scale_phi.unflatten(1, by_group), shift_phi.unflatten(1, by_group)
        fusion = (scale_phi.unsqueeze(-1) * phi + identity) * scale_q.unsqueeze(-2)
        shift = scale_phi * (phi * shift_q.unsqueeze(-2)).sum(-1) + shift_phi + shift_q
        return {**found, "fusion": fusion.to(self.p.dtype), "shift": shift.flatten(1).to(self.p.dtype)}

    def assemble(self, coefficients: dict[str, Tensor]) -> LowRankKernel:
        """`Λ W + P fusion Qᵀ`; the bias is `Λ b + P shift`."""
        scale, bias = coefficients["out_scale"], None
        if self.bias is not None:
            bias = scale * self.bias
        if "shift" in coefficients:
            by_group = coefficients["shift"].unflatten(1, (self.spec.groups, self.rank)).unsqueeze(2)
            added = (by_group * self.p.unflatten(0, (self.spec.groups, -1))).sum(-1).flatten(1)
            bias = added if bias is None else bias + added
        return LowRankKernel(self.weight, scale, self.p, coefficients["fusion"], self.q, bias)


class DCDConv1d(_DCDConvNd):
    """`DCDConv2d` over sequences."""

    dims = 1


class DCDConv2d(_DCDConvNd):
    """`W(x) = Λ(x) W0 + P Φ(x) Qᵀ`: dynamic channel fusion, a full kernel of which only L² + O numbers are dynamic.

    Φ is an L×L matrix, Λ a diagonal one between 0 and 2; both come from the averages of x. The second term acts on the
    pixel under the kernel's centre. As in the authors' code it is normalised and has a path around Φ:
    `P (N2(Φ N1(Qᵀx)) + N1(Qᵀx))`, N1 and N2 being normalisations, which are parts of the kernel here. Groups, which the
    authors do not have, get a Φ each.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`; Λ scales the bias too.
        rank: L; by default `⌊√D⌋` for D averages (for each group, of its share of them).
        context_grid: averages are taken over a grid of so many cells a dimension: 1 in the authors' bottleneck blocks,
            2 in their basic blocks.
        reduction: r; the hidden width is `max(D, L²) // r`.
        min_hidden: its least value.
        hidden_dim: the hidden width itself.
        norm: `"batch"`; `"layer"`, each sample over channels and positions; or `None`, without N1 and N2.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Li et al., Revisiting Dynamic Convolution via Matrix Decomposition, ICLR 2021, 2103.08756; liyunsheng13/dcd.

    Example:
        >>> layer, x = DCDConv2d(16, 32, 3, padding=1), torch.randn(2, 16, 8, 6)
        >>> layer(x).shape, layer.coefficients(x)["fusion"].shape
        (torch.Size([2, 32, 8, 6]), torch.Size([2, 1, 4, 4]))
    """

    dims = 2


class DCDConv3d(_DCDConvNd):
    """`DCDConv2d` over volumes."""

    dims = 3
